// needs: snapshot_testing http_h2
// What goes through the proxy from HTTP/1 or HTTP/2 to HTTP/1 or HTTP/2, and back: hostile clients
// and hostile backends of either kind, whose heads have whatever they like in them. What is sent on
// must satisfy a reader that is strict, must be no more messages than came in, and nobody but the
// proxy says who the client is.
#include <array>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/h2/frames_test.h"
#include "input.h"
#include "snapshot/testing/proxy_world.h"
#include "strict_messages.h"

namespace {

using http::h2::data;
using http::h2::frame;
using http::h2::headers;
using http::h2::kEnd;
using http::h2::Pairs;
using snapshot::testing::Peer;
using snapshot::testing::ProxyWorld;
using strict::Of;

// "/1" and "/2" for the backend's protocol; "s" where bodies are streamed.
constexpr std::string_view kConfiguration = R"(
http {
  error_log e.log crit;
  http2 on;
  early_hints 1;
  add_header X-Own 1 always;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_pass_trailers on;
  proxy_redirect http://a/ /;
  server {
    listen 127.0.0.1:8000;
    location /1 { proxy_pass http://10.0.0.1; }
    location /1s { proxy_pass http://10.0.0.1; proxy_request_buffering off; }
    location /2 { proxy_pass http://10.0.0.2; proxy_http_version 2; }
    location /2s { proxy_pass http://10.0.0.2; proxy_http_version 2; proxy_request_buffering off; }
  }
})";
constexpr std::string_view kClientAddress = "10.9.8.7";

constexpr std::array<std::string_view, 24> kNames = {"x",
                                                     "Content-Length",
                                                     "Transfer-Encoding",
                                                     "Connection",
                                                     "X-Real-IP",
                                                     "TE",
                                                     "X_Real_IP",
                                                     "X-Forwarded-For",
                                                     "Forwarded",
                                                     "Upgrade",
                                                     "Trailer",
                                                     "Cookie",
                                                     "Keep-Alive",
                                                     "Expect",
                                                     "content_length",
                                                     "Host",
                                                     "x-lower",
                                                     "Set-Cookie",
                                                     "Location",
                                                     "Link",
                                                     "HTTP2-Settings",
                                                     "Content-Length",
                                                     "",
                                                     ":path"};
constexpr std::array<std::string_view, 24> kValues = {"0",
                                                      "3",
                                                      "5",
                                                      "chunked",
                                                      "forged",
                                                      "trailers",
                                                      "close",
                                                      "keep-alive",
                                                      "x-real-ip",
                                                      "upgrade",
                                                      "h2c",
                                                      "100-continue",
                                                      "a\r\nb",
                                                      "a\nX-Y: z",
                                                      "3, 3",
                                                      "+3",
                                                      " 5",
                                                      "a",
                                                      "a=b",
                                                      "identity",
                                                      "x, TE",
                                                      "http://a/",
                                                      "gzip, chunked",
                                                      "transfer-encoding"};

std::string name_of(Input& input) {
  const std::uint8_t which = input.byte();
  if (which >= 240) return std::string(input.text(input.byte() % 24));
  return std::string(kNames[which % kNames.size()]);
}
std::string value_of(Input& input) {
  const std::uint8_t which = input.byte();
  if (which >= 224) return std::string(input.text(input.byte()));
  return std::string(kValues[which % kValues.size()]);
}
Pairs fields_of(Input& input) {
  Pairs fields;
  for (unsigned count = input.byte() % 4; count > 0; --count) {
    std::string name = name_of(input);
    fields.emplace_back(std::move(name), value_of(input));
  }
  return fields;
}
std::string text_of(const Pairs& fields) {
  std::string text;
  for (const auto& [name, value] : fields) text.append(name).append(": ").append(value + "\r\n");
  return text + "\r\n";
}
/// HTTP/2 has names in lower case; one in four runs leaves them as they are.
Pairs lowered(Pairs fields, bool really) {
  if (!really) return fields;
  for (auto& [name, value] : fields) name = strict::lower(name);
  return fields;
}

bool claims(std::string_view name) {
  std::string folded(name);
  std::ranges::replace(folded, '_', '-');
  return folded == "x-real-ip" || folded == "forwarded" || folded.starts_with("x-forwarded-");
}

void check_request(const strict::Message& request) {
  if (!request.has_head) return;
  std::size_t said = 0;
  for (const auto& [name, value] : request.fields) {
    CHECK(name.find('_') == std::string::npos);
    if (!claims(name)) continue;
    CHECK(name == "x-real-ip" && value == kClientAddress);
    ++said;
  }
  CHECK(said == 1);
  CHECK(request.target.starts_with("/1") || request.target.starts_with("/2"));
}

/// One connection of the proxy's to a backend, of either protocol.
class Backend {
 public:
  Backend(Peer& peer, bool http2) : peer_(peer), http2_(http2) {}

  void hear() {
    if (closed_) return;
    const std::string text = peer_.received();
    if (!http2_) {
      said_ += text;
      return;
    }
    requests_.read(text);
    if (std::exchange(requests_.owes_settings_ack, false)) {
      peer_.send(frame(http::h2::FrameType::settings, 0, 0, "") +
                 frame(http::h2::FrameType::settings, 1, 0, ""));
    }
  }
  std::size_t check() {
    hear();
    if (http2_) {
      for (const auto& [id, request] : requests_.messages) check_request(request);
      return requests_.messages.size();
    }
    const auto all = strict::Http1(Of::requests).read(said_);
    for (const strict::Message& each : all) check_request(each);
    return all.size();
  }
  void answer(Input& input) {
    hear();
    if (closed_) return;
    constexpr std::array<std::string_view, 10> kStatus = {"200", "200", "404", "204", "304",
                                                          "103", "100", "302", "101", "500"};
    const std::string status(input.pick(kStatus));
    const Pairs fields = fields_of(input);
    const std::uint8_t how = input.byte();
    const std::string body(input.text(how % 16));
    const Pairs trailers = (how & 16) != 0 ? fields_of(input) : Pairs{};
    if (http2_) return answer2(status, fields, body, trailers, how);
    std::string text = "HTTP/1.1 " + status + " X\r\n";
    if ((how & 32) != 0) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    if ((how & 64) != 0) text += "Transfer-Encoding: chunked\r\n";
    text += text_of(fields);
    if ((how & 64) == 0) return peer_.send(text + body);
    if (!body.empty())
      text.append(1, "0123456789abcdef"[body.size()]).append("\r\n" + body + "\r\n");
    peer_.send(text + "0\r\n" + text_of(trailers));
  }
  void close() {
    hear();
    if (!std::exchange(closed_, true)) peer_.close();
  }

 private:
  void answer2(const std::string& status, const Pairs& more, const std::string& body,
               const Pairs& trailers, std::uint8_t how) {
    if (requests_.messages.empty()) return;
    const std::int32_t id = requests_.messages.rbegin()->first;
    Pairs fields{{":status", status}};
    for (const auto& each : lowered(more, (how & 128) == 0)) fields.push_back(each);
    if ((how & 32) != 0) fields.emplace_back("content-length", std::to_string(body.size()));
    const bool ends = (how & 64) == 0;
    const bool interim = status.starts_with('1') && body.empty();
    std::string text = headers(id, fields, body.empty() && ends && !interim && trailers.empty());
    if (!body.empty()) text += data(id, body, ends && trailers.empty() ? kEnd : 0);
    if (!trailers.empty()) text += headers(id, lowered(trailers, true), kEnd);
    peer_.send(text);
  }

  Peer& peer_;
  bool http2_;
  bool closed_ = false;
  std::string said_;
  strict::Http2 requests_{Of::requests};
};

/// The client, of either protocol.
class Client {
 public:
  Client(ProxyWorld& world, bool http2, std::size_t slice)
      : peer_(world.connect({.capacity = 1 << 18, .slice = slice}, kClientAddress)), http2_(http2) {
    if (http2) peer_.send(http::h2::preface());
  }

  void ask(Input& input) {
    constexpr std::array<std::string_view, 6> kMethods = {"GET",  "POST",    "PUT",
                                                          "HEAD", "OPTIONS", "X"};
    constexpr std::array<std::string_view, 8> kPaths = {"/1",   "/1s",     "/2",    "/2s",
                                                        "/1?x", "/2/%2e.", "/1//a", "/2 x"};
    const std::string method(input.pick(kMethods));
    const std::string path(input.pick(kPaths));
    const Pairs fields = fields_of(input);
    const std::uint8_t how = input.byte();
    const std::string body(input.text(how % 32 == 31 ? 200 : how % 16));
    const Pairs trailers = (how & 128) != 0 ? fields_of(input) : Pairs{};
    if (http2_) return ask2(method, path, fields, body, trailers, how);
    if (said_.empty()) head_first_ = method == "HEAD";
    std::string text = method + " " + path + " HTTP/1.1\r\nHost: a\r\n";
    if ((how & 32) != 0) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    if ((how & 64) != 0) text += "Transfer-Encoding: chunked\r\n";
    text += text_of(fields);
    if ((how & 64) == 0) {
      text += body;
    } else {
      if (!body.empty() && body.size() < 16) {
        text.append(1, "0123456789abcdef"[body.size()]).append("\r\n" + body + "\r\n");
      }
      text += "0\r\n" + text_of(trailers);
    }
    said_ += text;
    peer_.send(text);
  }
  void say(std::string_view text) {
    said_ += text;
    peer_.send(text);
  }
  /// What has come must be sound; at the end, a message that is not whole ends the connection.
  void check(std::size_t requests, bool at_the_end) {
    heard_ += peer_.received();
    if (http2_) {
      responses_.read(std::exchange(heard_, {}));
      CHECK(responses_.messages.size() <= requests);
      return;
    }
    // A HEAD among what was pipelined: it is not known which answer has no body.
    if (said_.find("HEAD ", head_first_ ? 5 : 0) != std::string::npos) return;
    const auto all = strict::Http1(Of::responses).read(heard_, head_first_);
    std::size_t finals = 0;
    for (const strict::Message& each : all) finals += each.has_head && !each.is_interim() ? 1 : 0;
    CHECK(finals <= requests + 1);  // and a 400 for what was none
    if (at_the_end && !all.empty() && !all.back().is_whole) CHECK(peer_.is_over());
  }
  void close() { peer_.close(); }

 private:
  void ask2(const std::string& method, const std::string& path, const Pairs& more,
            const std::string& body, const Pairs& trailers, std::uint8_t how) {
    Pairs fields{{":method", method}, {":scheme", "http"}, {":authority", "a"}, {":path", path}};
    if ((how & 64) != 0) fields[how % 4].second = more.empty() ? "" : more[0].second;
    for (const auto& each : lowered(more, (how & 16) == 0)) fields.push_back(each);
    if ((how & 32) != 0) fields.emplace_back("content-length", std::to_string(body.size()));
    std::string text = headers(id_, fields, body.empty() && trailers.empty() ? kEnd : 0);
    if (!body.empty()) text += data(id_, body, trailers.empty() ? kEnd : 0);
    if (!trailers.empty()) text += headers(id_, lowered(trailers, true), kEnd);
    responses_.methods[id_] = fields[0].second;
    id_ += 2;
    peer_.send(text);
  }

  Peer peer_;
  bool http2_;
  bool head_first_ = false;
  std::string said_;
  std::string heard_;
  std::int32_t id_ = 1;
  strict::Http2 responses_{Of::responses};
};

class Conversation {
 public:
  Conversation(ProxyWorld& world, Input& input)
      : world_(world),
        before_(world.count(observe::Counter::requests)),
        input_(input),
        how_(input.byte()),
        client_(world_, (how_ & 1) != 0, slice()) {
    world_.connector.pipe = {.slice = slice()};
  }
  void run() {
    for (int i = 0; i < 12 && !input_.empty(); ++i) step();
    client_.check(asked(), false);
    for (Backend& backend : backends_) backend.close();
    world_.pass(std::chrono::seconds(61));
    client_.check(asked(), true);
    find_backends();
    for (Backend& backend : backends_) static_cast<void>(backend.check());
    client_.close();
    for (Backend& backend : backends_) backend.close();
    for (int i = 0; i < 10 && world_.connections.running() > 0; ++i) {
      world_.pass(std::chrono::seconds(61));
    }
    CHECK(world_.connections.running() == 0 && world_.background.running() == 0);
    world_.connector.connections.clear();
    world_.connector.addresses.clear();
  }

 private:
  [[nodiscard]] std::size_t slice() const { return (how_ & 2) != 0 ? 7 : 64 * 1024; }
  [[nodiscard]] std::size_t asked() const {
    return static_cast<std::size_t>(world_.count(observe::Counter::requests) - before_);
  }
  void find_backends() {
    while (backends_.size() < world_.connector.connections.size()) {
      const std::size_t at = backends_.size();
      backends_.emplace_back(*world_.connector.connections[at],
                             world_.connector.addresses[at].starts_with("10.0.0.2"));
    }
  }
  void step() {
    switch (input_.byte() % 8) {
      case 0:
      case 1:
      case 2: client_.ask(input_); break;
      case 3:
      case 4:
      case 5:
        if (!backends_.empty()) backends_.back().answer(input_);
        break;
      case 6: client_.say(input_.text(input_.byte())); break;
      default:
        if (!backends_.empty()) backends_.back().close();
        break;
    }
    find_backends();
    for (Backend& backend : backends_) static_cast<void>(backend.check());
    client_.check(asked(), false);
  }

  ProxyWorld& world_;  // one for all: a configuration takes longer to load than this lasts
  std::uint64_t before_;  // requests
  Input& input_;
  std::uint8_t how_;
  Client client_;
  std::deque<Backend> backends_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static ProxyWorld world(kConfiguration);
  Input input(bytes, size);
  Conversation(world, input).run();
  return 0;
}
