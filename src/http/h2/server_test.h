// What the tests of the server's side share: a connection over a pipe, a handler that a test
// writes, a client that speaks in frames, and what it hears as text.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/scope.h"
#include "http/h2/frame_watch.h"
#include "http/h2/server_connection.h"
#include "http/h2/server_stream.h"
#include "io/testing/fake_clock.h"
#include "io/testing/pipe.h"

namespace http::h2 {

using Pairs = std::vector<std::pair<std::string, std::string>>;

inline std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

inline std::string frame(FrameType type, int flags, std::int32_t id, std::string_view payload) {
  std::string text = number(payload.size(), 3);
  text += static_cast<char>(type);
  text += static_cast<char>(flags);
  text += number(static_cast<std::uint32_t>(id), 4);
  return text.append(payload);
}

/// HPACK: literals without indexing and without Huffman (RFC 7541 §6.2.2).
inline std::string block(const Pairs& fields) {
  const auto text_of = [](std::string_view text) {
    std::string result;
    if (text.size() < 127) {
      result += static_cast<char>(text.size());
    } else {
      result += static_cast<char>(127);
      std::size_t rest = text.size() - 127;
      for (; rest >= 128; rest /= 128) result += static_cast<char>(rest % 128 + 128);
      result += static_cast<char>(rest);
    }
    return result.append(text);
  };
  std::string result;
  for (const auto& [name, value] : fields) {
    result += '\0';
    result += text_of(name) + text_of(value);
  }
  return result;
}

inline constexpr int kEnd = kFlagEndStream;
inline constexpr int kEndHeaders = kFlagEndHeaders;

inline Pairs get(std::string_view path = "/", const Pairs& more = {}) {
  Pairs fields{{":method", "GET"},
               {":scheme", "https"},
               {":authority", "example.com"},
               {":path", std::string(path)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}
inline Pairs post(const Pairs& more = {}) {
  Pairs fields = get("/", more);
  fields[0].second = "POST";
  return fields;
}
inline std::string headers(std::int32_t id, const Pairs& fields, int flags = kEnd) {
  return frame(FrameType::headers, flags | kEndHeaders, id, block(fields));
}
inline std::string data(std::int32_t id, std::string_view text, int flags = 0) {
  return frame(FrameType::data, flags, id, text);
}
inline std::string reset(std::int32_t id, std::uint32_t code = 8) {
  return frame(FrameType::rst_stream, 0, id, number(code, 4));
}
inline std::string window(std::int32_t id, std::uint32_t more) {
  return frame(FrameType::window_update, 0, id, number(more, 4));
}
inline std::string setting(std::uint16_t which, std::uint32_t value) {
  return frame(FrameType::settings, 0, 0, number(which, 2) + number(value, 4));
}
inline std::string preface() {
  return std::string(kPreface) + frame(FrameType::settings, 0, 0, "");
}

struct HeardFrame {
  FrameType type{};
  int flags = 0;
  std::int32_t id = 0;
  std::string payload;
};

/// What a client heard, one line a frame: "HEADERS 1 :status=200 server=x", "DATA 1 END hello",
/// "RST_STREAM 3 1", "GOAWAY 0 11".
class Listener {
 public:
  Listener() { nghttp2_hd_inflate_new(&inflater_); }
  ~Listener() { nghttp2_hd_inflate_del(inflater_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::vector<HeardFrame> frames(std::string_view bytes) {
    rest_.append(bytes);
    std::vector<HeardFrame> result;
    const auto byte = [this](std::size_t i) { return static_cast<std::uint8_t>(rest_[i]); };
    while (rest_.size() >= kFrameHeader) {
      const std::size_t size = static_cast<std::size_t>(byte(0)) << 16U |
                               static_cast<std::size_t>(byte(1)) << 8U | byte(2);
      if (rest_.size() < kFrameHeader + size) break;
      HeardFrame heard{
          .type = static_cast<FrameType>(byte(3)), .flags = byte(4), .id = 0, .payload = {}};
      for (std::size_t i = 5; i < 9; ++i) heard.id = heard.id << 8 | byte(i);
      heard.payload = rest_.substr(kFrameHeader, size);
      rest_.erase(0, kFrameHeader + size);
      result.push_back(std::move(heard));
    }
    return result;
  }

  std::string text_of(const HeardFrame& heard) {
    const std::string id = std::to_string(heard.id);
    const std::string end = (heard.flags & kEnd) != 0 ? " END" : "";
    switch (heard.type) {
      case FrameType::headers:
      case FrameType::continuation: return "HEADERS " + id + end + fields_of(heard.payload);
      case FrameType::data:
        return "DATA " + id + end + (heard.payload.empty() ? "" : " " + heard.payload);
      case FrameType::rst_stream: return "RST_STREAM " + id + " " + code_at(heard.payload, 0);
      case FrameType::goaway:
        return "GOAWAY " + code_at(heard.payload, 0) + " " + code_at(heard.payload, 4);
      case FrameType::window_update: return "WINDOW_UPDATE " + id + " " + code_at(heard.payload, 0);
      case FrameType::ping: return (heard.flags & 1) != 0 ? "PING ACK" : "PING";
      case FrameType::settings: return (heard.flags & 1) != 0 ? "SETTINGS ACK" : "SETTINGS";
      default: return "?";
    }
  }

 private:
  static std::string code_at(std::string_view payload, std::size_t at) {
    std::uint32_t value = 0;
    for (const char c : payload.substr(at, 4)) value = value << 8U | static_cast<std::uint8_t>(c);
    return std::to_string(value);
  }
  std::string fields_of(std::string_view block) {
    std::string text;
    auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    while (true) {
      nghttp2_nv nv{};
      int flags = 0;
      const ssize_t taken = nghttp2_hd_inflate_hd2(inflater_, &nv, &flags, at, left, 1);
      if (taken < 0) return text + " (cannot be decoded)";
      at += taken;
      left -= static_cast<std::size_t>(taken);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        text += ' ';
        text.append(reinterpret_cast<char*>(nv.name), nv.namelen) += '=';
        text.append(reinterpret_cast<char*>(nv.value), nv.valuelen);
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return text;
  }

  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string rest_;
};

/// Counts the writes that took bytes: each is a system call on a socket.
class CountingStream final : public io::Stream {
 public:
  explicit CountingStream(std::unique_ptr<io::Stream> inner) noexcept : inner_(std::move(inner)) {}
  int writes = 0;
  std::size_t read = 0;
  base::Result<std::size_t> try_read(std::span<char> into) noexcept override {
    const auto count = inner_->try_read(into);
    read += count.value_or(0);
    return count;
  }
  base::Result<std::size_t> try_write(std::span<const iovec> pieces) noexcept override {
    const auto written = inner_->try_write(pieces);
    if (written) ++writes;
    return written;
  }
  bool may_be_ready(io::Direction direction) const noexcept override {
    return inner_->may_be_ready(direction);
  }
  void set_waiter(io::Direction direction, io::Waiter* waiter) noexcept override {
    inner_->set_waiter(direction, waiter);
  }
  void shutdown_write() noexcept override { inner_->shutdown_write(); }
  void abort() noexcept override { inner_->abort(); }
  io::EventLoop& loop() const noexcept override { return inner_->loop(); }

 private:
  std::unique_ptr<io::Stream> inner_;
};

class ServerWorld : public ServerHandler {
 public:
  using Serve = std::function<async::Task<void>(ServerWorld&, ServerStream&)>;

  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  async::Scope scope;
  ServerOptions options;
  Listener listener;
  std::unique_ptr<CountingStream> stream;
  std::unique_ptr<io::Stream> peer;
  std::optional<ServerConnection> connection;
  std::optional<ConnectionEnd> end;
  std::vector<std::string> malformed;
  int served = 0;
  Serve handler;
  base::Error error{};  // for handlers to say what they met
  std::string log;
  std::size_t produced = 0;
  std::string idle;  // what on_idle said

  explicit ServerWorld(Serve serves = answer_ok, io::testing::PipeOptions pipe = {})
      : handler(std::move(serves)) {
    auto [ours, theirs] = io::testing::make_pipe(loop, pipe);
    stream = std::make_unique<CountingStream>(std::move(ours));
    peer = std::move(theirs);
  }
  virtual ~ServerWorld() {
    scope.request_stop();
    loop.run_until_idle();
  }

  /// Begins, and says nothing yet. `first`: what was read before.
  void listen(std::string_view first = {}) {
    connection.emplace(*stream, *this, options, counters);
    if (!first.empty()) connection->begin_with(first);
    scope.spawn(run());
    loop.run_until_idle();
  }
  /// Begins, with the client's preface and SETTINGS; what the server says to that is passed over.
  void begin(std::string_view more = {}) {
    listen();
    say(preface() + frame(FrameType::settings, 1, 0, ""));
    static_cast<void>(heard());
    if (!more.empty()) say(more);
  }

  void say(std::string_view text) {
    while (!text.empty()) {
      const iovec piece = io::piece_of(text);
      const auto count = peer->try_write({&piece, 1});
      if (!count) return;  // it has ended, or does not read any more
      text.remove_prefix(*count);
      loop.run_until_idle();
    }
  }
  std::vector<HeardFrame> heard_frames() {
    std::string all;
    std::array<char, 4096> room{};
    loop.run_until_idle();
    while (true) {
      const auto count = peer->try_read(room);
      if (!count || *count == 0) break;
      all.append(room.data(), *count);
      loop.run_until_idle();
    }
    return listener.frames(all);
  }
  /// One line a frame.
  std::string heard() {
    std::string text;
    for (const HeardFrame& each : heard_frames()) text += listener.text_of(each) + "\n";
    return text;
  }
  void pass(base::Duration time) {
    clock.advance(time);
    loop.run_until_idle();
    loop.run_until_idle();
  }
  [[nodiscard]] std::uint64_t count(observe::Counter counter) const {
    return counters.get(counter);
  }

  static async::Task<void> answer_ok(ServerWorld& /*world*/, ServerStream& stream) {
    ResponseHead head(stream.arena());
    head.status = 200;
    head.body = {.kind = BodyFraming::Kind::length, .length = 2};
    static_cast<void>(
        co_await stream.responder().send_head(head, "ok", End::yes, base::kNoDeadline));
  }

  async::Task<void> serve(ServerStream& stream_served) override {
    ++served;
    return handler(*this, stream_served);
  }
  void on_malformed(std::string_view rule) noexcept override { malformed.emplace_back(rule); }
  void on_idle(bool now) noexcept override { idle += now ? "idle " : "busy "; }

 private:
  async::Task<void> run() { end = co_await connection->run(); }
};

}  // namespace http::h2
