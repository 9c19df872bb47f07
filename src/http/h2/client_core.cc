#include "http/h2/client_core.h"

#include <algorithm>
#include <utility>

#include "async/scope.h"
#include "base/check.h"
#include "http/h2/client_request.h"

namespace http::h2 {

using base::Error;
using base::ErrorCode;

namespace {

// A request that got no answer says something about the connection if it was waited for.
constexpr base::Duration kDoubt = std::chrono::seconds(1);

constexpr Error kNoHttp2{.code = ErrorCode::protocol,
                         .context = "it does not speak HTTP/2 there: see proxy_http_version"};

}  // namespace

ClientConnection::Core::Core(std::unique_ptr<io::Stream> stream, const ClientOptions& options,
                             observe::Counters& counters, Owner& owner)
    : ClientParts{std::move(stream), options},
      Connection(*ClientParts::stream, Session::Side::client, ClientParts::options.limits,
                 options.budget, counters),
      owner_(owner),
      heard_at_(ClientParts::stream->loop().now()) {}

ClientConnection::Core::~Core() { CHECK(open_ == 0); }

// --- requests ---

std::size_t ClientConnection::Core::max_requests() noexcept {
  if (!settled_) return 1;
  return std::min(session().peer_max_streams(), limits().max_streams);
}

void ClientConnection::Core::add(ListedExchange& request) noexcept {
  all_.push_back(request);
  if (++open_ == 1) rewait(next_wait());  // PINGs are for those who wait
}

void ClientConnection::Core::remove(ListedExchange& request) noexcept {
  request.unlink();
  --open_;
  if (over()) return;
  if (open_ == 0 && (draining_ || going_away_)) return leave();
  owner_.on_change();
}

void ClientConnection::Core::doubt(base::TimePoint since) noexcept {
  if (heard_at_ <= since && loop().now() - since >= kDoubt) ask();
}

void ClientConnection::Core::fail_all() noexcept {
  const Error error = failure();
  all_.for_each([&](ListedExchange& listed) {
    auto& request = static_cast<ClientRequest&>(listed);
    request.lose_connection(error);
    request.tell_waiters();
  });
}

Error ClientConnection::Core::failure() const noexcept {
  switch (ending()) {
    case Ending::failed: return error();
    case Ending::cancelled: return {.code = ErrorCode::cancelled};
    case Ending::silent:
      return {.code = ErrorCode::timed_out, .context = "no answer to an HTTP/2 PING"};
    case Ending::stalled: return {.code = ErrorCode::timed_out};
    case Ending::protocol:
      if (!settled_) return kNoHttp2;
      return {.code = ErrorCode::protocol, .context = reason()};
    case Ending::flood: return {.code = ErrorCode::protocol, .context = reason()};
    case Ending::none:
    case Ending::idle:
    case Ending::closed: break;
  }
  if (!settled_ && bytes_received() > 0) return kNoHttp2;
  return {.code = ErrorCode::end_of_stream, .context = "the HTTP/2 connection was closed"};
}

// --- what the backend says ---

void ClientConnection::Core::on_settings() noexcept {
  settled_ = true;
  changed_ = true;
}

// nghttp2 closes the streams that were not processed (RFC 9113 §6.8).
void ClientConnection::Core::on_goaway(std::int32_t /*last_stream*/, Code /*code*/) noexcept {
  going_away_ = true;
  changed_ = true;
}

// Most are given up by us, or by our clients; one that the backend has provoked has cost it a
// request.
void ClientConnection::Core::on_reset_sent(bool /*own*/) noexcept {
  counters().add(observe::Counter::h2_resets_sent);
}

void ClientConnection::Core::on_ping_ack() noexcept { asking_ = false; }

void ClientConnection::Core::on_fed() noexcept {
  heard_at_ = loop().now();
  if (settled_ && !std::exchange(told_settled_, true)) {
    // By settle(), as all else: told here, a sender would pump, and be told once more meanwhile.
    all_.for_each([this](ListedExchange& listed) { touch(static_cast<ClientRequest&>(listed)); });
  }
  if (going_away_ && open_ == 0) leave();
  if (std::exchange(changed_, false)) owner_.on_change();
}

// --- time ---

void ClientConnection::Core::ask() noexcept {
  if (asking_ || over()) return;
  asking_ = true;
  asked_at_ = loop().now();
  session().ping();
  wake_writer();
  rewait(next_wait());
}

Connection::Wait ClientConnection::Core::next_wait() const noexcept {
  base::Deadline until = base::kNoDeadline;
  if (asking_) {
    until = asked_at_ + options.ping_timeout;
  } else if (open_ > 0 && options.ping_interval != base::Duration::max()) {
    until = heard_at_ + options.ping_interval;
  }
  return {until, io::Waiting::busy};
}

void ClientConnection::Core::on_time_out() noexcept {
  const base::TimePoint now = loop().now();
  if (asking_ && now >= asked_at_ + options.ping_timeout) return end(Ending::silent);
  if (!asking_ && open_ > 0 && now >= heard_at_ + options.ping_interval) ask();
}

// --- its end ---

void ClientConnection::Core::drain() noexcept {
  if (std::exchange(draining_, true) || over()) return;
  if (open_ == 0) leave();
}

void ClientConnection::Core::leave() noexcept {
  if (over()) return;
  session().goaway();
  end(Ending::closed);
}

async::Task<void> ClientConnection::Core::read() {
  while (!over()) {
    const auto ready = co_await input(next_wait());
    if (over()) break;
    if (ready) {
      co_await read_available();
    } else if (ready.error().is(ErrorCode::timed_out)) {
      on_time_out();
    } else {
      end(Ending::cancelled);
    }
  }
}

async::Task<void> ClientConnection::Core::run() {
  async::Scope* outer = co_await async::current_scope();
  async::Scope writer(outer);
  set_scope(outer);
  writer.spawn(write(options.write_timeout));
  co_await read();
  fail_all();
  const bool can_write = ending() != Ending::failed && ending() != Ending::stalled &&
                         ending() != Ending::cancelled && ending() != Ending::silent &&
                         !(ending() == Ending::flood && is_writing());
  close_writer();
  if (!can_write) writer.request_stop();
  co_await writer.join();
  read_own_last_words();
  set_scope(nullptr);
  owner_.on_change();
}

// --- ClientConnection ---

ClientConnection::ClientConnection(std::unique_ptr<io::Stream> stream, const ClientOptions& options,
                                   observe::Counters& counters, Owner& owner)
    : core_(std::make_unique<Core>(std::move(stream), options, counters, owner)) {}
ClientConnection::~ClientConnection() = default;

async::Task<void> ClientConnection::run() { return core_->run(); }
std::unique_ptr<ClientExchange> ClientConnection::open(Method method, base::Arena& arena,
                                                       const ResponseLimits& limits) {
  return std::make_unique<ClientRequest>(*core_, method, arena, limits);
}
void ClientConnection::drain() noexcept { core_->drain(); }
bool ClientConnection::takes_requests() const noexcept { return core_->takes_requests(); }
bool ClientConnection::settled() const noexcept { return core_->settled(); }
std::size_t ClientConnection::max_requests() const noexcept { return core_->max_requests(); }
std::size_t ClientConnection::open_requests() const noexcept { return core_->open_requests(); }
std::uint64_t ClientConnection::bytes_received() const noexcept { return core_->bytes_received(); }
std::uint64_t ClientConnection::bytes_sent() const noexcept { return core_->bytes_sent(); }

}  // namespace http::h2
