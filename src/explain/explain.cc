#include "explain/explain.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "async/scope.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "exchange/exchange.h"
#include "explain/step_recorder.h"
#include "io/event_loop.h"
#include "io/resolver.h"
#include "io/socket.h"
#include "observe/counters.h"
#include "proxy/site.h"
#include "proxy/worker.h"
#include "tls/in_process_signer.h"
#include "tls/library.h"
#include "tls/ticket_keys.h"
#include "upstream/connector.h"

namespace explain {
namespace {

// Nobody is asked for an address.
class SilentResolver final : public io::Resolver {
 public:
  async::Task<base::Result<io::Resolution>> resolve(std::string /*name*/, std::uint16_t /*port*/,
                                                    base::Deadline /*deadline*/) override {
    co_return base::fail(base::ErrorCode::not_found, "no name is looked up");
  }
  async::Task<base::Result<io::ServiceResolution>> resolve_service(
      std::string /*name*/, base::Deadline /*deadline*/) override {
    co_return base::fail(base::ErrorCode::not_found, "no name is looked up");
  }
  std::optional<io::Resolution> known(std::string_view /*name*/, std::uint16_t /*port*/) override {
    return std::nullopt;
  }
  std::optional<io::ServiceResolution> known_service(std::string_view /*name*/) override {
    return std::nullopt;
  }
};

class SilentResolvers final : public io::Resolvers {
 public:
  std::shared_ptr<io::Resolver> find(const io::DnsOptions& /*options*/) override {
    return std::make_shared<SilentResolver>();
  }
};

// Nor connected to.
class SilentConnector final : public upstream::Connector {
 public:
  async::Task<base::Result<std::unique_ptr<io::Stream>>> connect(
      base::Address /*peer*/, base::Deadline /*deadline*/) override {
    co_return base::fail(base::ErrorCode::not_permitted, "no backend is connected to");
  }
  async::Task<std::expected<upstream::Transport, upstream::HandshakeFailure>> secure(
      std::unique_ptr<io::Stream> plain, upstream::TlsTarget /*target*/,
      std::string /*session_key*/, base::Deadline /*deadline*/) override {
    co_return upstream::Transport{.stream = std::move(plain)};
  }
};

/// Without the port.
std::string_view host_of(std::string_view authority) {
  return authority.ends_with(']') ? authority : authority.substr(0, authority.rfind(':'));
}

std::uint16_t port_of(const Request& request) {
  const std::string_view authority = request.authority;
  const std::string_view host = host_of(authority);
  if (host.size() < authority.size()) {
    const auto port = base::parse_number<std::uint16_t>(authority.substr(host.size() + 1));
    if (port) return *port;
  }
  return request.https ? 443 : 80;
}

/// The listener at which the request comes in: of its port, else one that speaks what it speaks.
const proxy::ListenGroup* find_listener(const proxy::Listing& listing, const Request& request,
                                        Explanation& explanation) {
  const std::uint16_t port = port_of(request);
  const proxy::ListenGroup* other = nullptr;
  for (const auto& group : listing.groups) {
    if (group->tls != request.https) continue;
    if (!group->address.is_unix() && group->address.port() == port) return group.get();
    if (other == nullptr) other = group.get();
  }
  if (other != nullptr) {
    explanation.assumptions.push_back(
        fmt::format("it comes in at {}, since nothing listens on port {} {} TLS",
                    other->address.text(), port, request.https ? "with" : "without"));
  }
  return other;
}

std::string text_of(const Request& request) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  const bool has_host = std::ranges::any_of(request.headers, [](const std::string& header) {
    return base::lower(std::string_view(header).substr(0, 5)) == "host:";
  });
  if (!has_host) text += fmt::format("Host: {}\r\n", request.authority);
  for (const std::string& header : request.headers) text += header + "\r\n";
  return text + "\r\n";
}

/// What a worker has, without its listeners.
class Stage {
 public:
  Stage(const std::shared_ptr<const snapshot::Snapshot>& snapshot, proxy::Recorder& recorder)
      : keys_(signer_.hold(snapshot->private_keys())),
        worker{.index = 0,
               .loop = loop,
               .resolvers = resolvers_,
               .tls = tls_,
               .signer = signer_,
               .ticket_keys = std::make_shared<tls::TicketKeys>(clock_, std::chrono::hours(1)),
               .counters = counters_,
               .refusals = refusals_,
               .connections = connections,
               .connection_numbers = numbers_,
               .site = nullptr,
               .connector = &connector_,
               .recorder = &recorder} {}
  ~Stage() {
    connections.request_stop();
    while (connections.running() != 0) loop.turn(std::chrono::milliseconds(1));
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

 private:
  base::SystemClock clock_;

 public:
  io::EventLoop loop{clock_};

 private:
  async::Executor::Use use_{loop.executor()};
  observe::CounterLayout layout_;
  proxy::RefusalCounters refusals_ = proxy::add_refusal_counters(layout_);
  observe::Counters counters_{layout_};
  tls::InProcessSigner signer_;
  tls::InProcessSigner::Hold keys_;
  tls::Library tls_{signer_};
  SilentResolvers resolvers_;
  SilentConnector connector_;
  std::atomic<std::uint64_t> numbers_{1};

 public:
  async::Scope connections;
  proxy::Worker worker;
};

/// Appends what has arrived; false at the end of it.
bool drain(int socket, std::string& into) {
  std::array<char, 16384> room{};
  while (true) {
    const ssize_t count = ::recv(socket, room.data(), room.size(), MSG_DONTWAIT);
    if (count <= 0) return count < 0;
    const std::size_t left = kMaxAnswer - std::min(kMaxAnswer, into.size());
    into.append(room.data(), std::min(left, static_cast<std::size_t>(count)));
  }
}

std::string head_of(std::string_view response) {
  const auto end = response.find("\r\n\r\n");
  std::string head(response.substr(0, end == std::string_view::npos ? response.size() : end));
  std::erase(head, '\r');
  return head.empty() ? head : head + "\n";
}

std::expected<void, std::string> run(Stage& stage, const StepRecorder& recorder,
                                     const Request& request, const base::Address& listener,
                                     std::string& response) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return std::unexpected("no pair of sockets can be made");
  }
  const base::Fd client(pair[0]);
  auto stream = io::SocketStream::adopt(stage.loop, base::Fd(pair[1]));
  if (!stream) return std::unexpected(base::describe(stream.error()));
  auto facts = std::make_unique<exchange::Connection>();
  facts->number = 1;
  facts->peer = request.from;
  facts->local = listener;
  facts->accepted_at = stage.loop.now();
  facts->tls = request.https;
  if (request.https) {
    facts->tls_protocol = "TLSv1.3";
    facts->tls_server_name = host_of(request.authority);
  }
  stage.connections.spawn(proxy::serve_http(stage.worker, std::move(facts), *std::move(stream),
                                            listener, text_of(request)));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool open = true;
  while (open && !recorder.is_over() && std::chrono::steady_clock::now() < deadline) {
    stage.loop.turn(std::chrono::milliseconds(10));
    open = drain(client.get(), response);
  }
  drain(client.get(), response);
  if (!recorder.is_over()) return std::unexpected("the request did not come to an end in 10 s");
  return {};
}

}  // namespace

bool is_header(std::string_view text) noexcept {
  const auto colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos) return false;
  return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

std::expected<Request, std::string> parse_request(std::string_view text) {
  Request request;
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' '; })) {
    return std::unexpected("a request is one line");
  }
  if (const auto space = text.find(' '); space != std::string_view::npos) {
    request.method = text.substr(0, space);
    text.remove_prefix(space + 1);
  }
  if (text.starts_with("https://")) {
    request.https = true;
  } else if (!text.starts_with("http://")) {
    return std::unexpected("a request is written as 'GET https://host/path'");
  }
  text.remove_prefix(request.https ? 8 : 7);
  const auto slash = text.find_first_of("/?");
  request.authority = text.substr(0, slash);
  if (request.authority.empty()) return std::unexpected("the URL has no host");
  if (slash != std::string_view::npos) {
    request.target = text.substr(slash);
    if (request.target.starts_with('?')) request.target.insert(0, "/");
    request.target.resize(std::min(request.target.size(), request.target.find('#')));
  }
  return request;
}

std::expected<Explanation, std::string> explain(
    const std::shared_ptr<const snapshot::Snapshot>& snapshot,
    const config::Diagnostics& diagnostics, const Request& request) {
  Explanation explanation;
  const proxy::ListenGroup* listener = find_listener(snapshot->listing(), request, explanation);
  if (listener == nullptr) {
    return std::unexpected(
        fmt::format("no server listens {} TLS", request.https ? "with" : "without"));
  }
  if (request.https) explanation.assumptions.emplace_back("the TLS handshake succeeds");
  StepRecorder recorder(request, diagnostics, explanation);
  Stage stage(snapshot, recorder);
  auto site = snapshot->activate(stage.worker);
  if (!site) return std::unexpected(base::describe(site.error()));
  stage.worker.site = *std::move(site);
  std::string response;
  if (const auto done = run(stage, recorder, request, listener->address, response); !done) {
    return std::unexpected(done.error());
  }
  if (!explanation.forwarded) explanation.response = head_of(response);
  return explanation;
}

}  // namespace explain
