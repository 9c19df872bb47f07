#include "http/h2/server_core.h"

#include <algorithm>
#include <utility>

namespace http::h2 {

using base::ErrorCode;
using observe::Counter;

/// Hears of a drain while requests run; the wait for input hears of it when none do.
class ServerConnection::Core::DrainWatch final : public async::Cancellable {
 public:
  DrainWatch(Core& core, async::Scope& scope) noexcept : core_(core) {
    if (!scope.enlist(*this, async::Scope::Waiting::idle)) core_.drain();
  }
  void cancel() noexcept override { core_.drain(); }

 private:
  Core& core_;
};

ServerConnection::Core::Core(ServerConnection& shown, io::Stream& stream, ServerHandler& handler,
                             const ServerOptions& options, observe::Counters& counters)
    : Connection(stream, Session::Side::server, options.limits, options.budget, counters),
      shown_(shown),
      handler_(handler),
      header_timeout_(options.header_timeout),
      idle_timeout_(options.idle_timeout),
      write_timeout_(options.write_timeout),
      arrival_(options.arrival),
      started_(stream.loop().now()),
      idle_since_(started_),
      block_since_(started_) {}

ServerConnection::Core::~Core() {
  CHECK(running_ == 0);
  while (!all_.empty()) delete &static_cast<ServerRequest&>(all_.front());
}

// --- requests ---

bool ServerConnection::Core::has_room() noexcept {
  if (places_ >= limits().max_streams) {
    counters().add(Counter::limit_h2_streams);
    return false;
  }
  if (is_over_budget()) {
    counters().add(Counter::limit_h2_memory);
    if (!is_over_own_budget()) ++innocent_resets_;
    return false;
  }
  return true;
}

// What others hold is not held against this client.
void ServerConnection::Core::on_reset_sent(bool own) noexcept {
  const bool innocent = !own && innocent_resets_ > 0;
  if (innocent) --innocent_resets_;
  Connection::on_reset_sent(own || innocent);
}

Stream* ServerConnection::Core::on_new_stream(std::int32_t id) noexcept {
  if (over()) return nullptr;
  if (draining_ && ++after_notice_ > limits().max_streams) send_final_goaway();
  if (!has_room()) {
    session().reset(id, Code::refused_stream);
    return nullptr;
  }
  auto* request = new ServerRequest(*this, shown_, *this, id);
  all_.push_back(*request);
  ++places_;
  return request;
}

void ServerConnection::Core::on_request(ServerRequest& request) noexcept {
  ready_.push_back(request);
}

void ServerConnection::Core::on_malformed(std::string_view rule) noexcept {
  counters().add(Counter::h2_malformed);
  handler_.on_malformed(rule);
}

// One that was never begun; with a handler, that keeps the place.
void ServerConnection::Core::on_closed(ServerRequest& request) noexcept {
  if (!request.running() && request.leave_place()) --places_;
}

void ServerConnection::Core::on_fed() noexcept {
  while (!ready_.empty() && !over()) {
    auto& request = static_cast<ServerRequest&>(ready_.pop_front());
    if (request.failed()) continue;  // reset in the same breath
    ++requests_;
    if (++running_ == 1) handler_.on_idle(false);
    request.set_running(true);
    counters().add(Counter::h2_streams);
    handlers_->spawn(serve(request));
  }
  note_block();
}

async::Task<void> ServerConnection::Core::serve(ServerRequest& request) {
  co_await handler_.serve(request);
  end_request(request);
}

// What is not at its end in both directions is reset: the response's lack is an error, the
// request's is not (RFC 9113 §8.1).
void ServerConnection::Core::end_request(ServerRequest& request) noexcept {
  --running_;
  request.set_running(false);
  if (request.leave_place()) --places_;
  if (!request.closed() && !request.send_failed()) {
    if (!request.end_sent() && !request.is_ending()) {
      request.abort();
    } else if (!request.receive_ended()) {
      request.reset_after_end();
    }
  }
  if (request.closed()) delete &request;
  if (running_ > 0) return;
  handler_.on_idle(true);
  if (over()) return;
  idle_since_ = loop().now();
  if (draining_ && loop().now() >= let_be_until()) return leave(Ending::closed);
  rewait(next_wait());
}

void ServerConnection::Core::on_gone(Stream& stream) noexcept {
  auto& request = static_cast<ServerRequest&>(stream);
  if (!request.running()) delete &request;
}

void ServerConnection::Core::fail_all() noexcept {
  const base::Error error{.code = ErrorCode::reset, .context = "the HTTP/2 connection has ended"};
  all_.for_each([&](ListedRequest& listed) {
    auto& request = static_cast<ServerRequest&>(listed);
    request.lose_connection(error);
    request.tell_waiters();
  });
}

// --- time ---

void ServerConnection::Core::set_idle(base::Duration timeout, base::Duration at_least) noexcept {
  idle_timeout_ = timeout;
  at_least_ = at_least;
}

void ServerConnection::Core::note_block() noexcept {
  if (!watch().in_block() || watch().blocks() == block_) return;
  block_ = watch().blocks();
  block_since_ = loop().now();
}

base::TimePoint ServerConnection::Core::let_be_until() const noexcept {
  return requests_ == 0 ? started_ + arrival_ : idle_since_ + at_least_;
}

Connection::Wait ServerConnection::Core::next_wait() const noexcept {
  if (watch().in_block()) return {block_since_ + header_timeout_, io::Waiting::busy};
  if (running_ > 0) return {base::kNoDeadline, io::Waiting::busy};
  const base::Deadline until =
      requests_ == 0 ? started_ + header_timeout_ : idle_since_ + idle_timeout_;
  const base::TimePoint let_be = let_be_until();
  if (loop().now() < let_be) return {std::min(let_be, until), io::Waiting::busy};
  return {until, io::Waiting::idle};
}

void ServerConnection::Core::on_wait_failed(const base::Error& error) noexcept {
  if (error.is(ErrorCode::timed_out)) return on_time_out();
  if (handlers_->stop_requested()) return end(Ending::cancelled);
  leave(Ending::idle);
}

void ServerConnection::Core::on_time_out() noexcept {
  if (watch().in_block()) return leave(Ending::silent);
  if (running_ > 0) return;  // a request has begun meanwhile
  if (draining_) return leave(Ending::closed);
  const base::TimePoint now = loop().now();
  if (requests_ == 0 && now >= started_ + header_timeout_) return leave(Ending::silent);
  if (requests_ > 0 && now >= idle_since_ + idle_timeout_) return leave(Ending::idle);
}

// --- its end ---

void ServerConnection::Core::drain() noexcept {
  if (draining_ || over()) return;
  draining_ = true;
  session().shutdown_notice();
  wake_writer();
  if (running_ == 0 && !watch().in_block() && loop().now() >= let_be_until()) {
    leave(Ending::closed);
  }
}

// The PING goes behind the first GOAWAY, which nghttp2's own order would not see to.
void ServerConnection::Core::on_goaway_sent() noexcept {
  if (draining_ && !final_sent_ && !std::exchange(notice_sent_, true)) session().ping();
}

// The client has seen the first GOAWAY: what it sent before has arrived.
void ServerConnection::Core::on_ping_ack() noexcept {
  if (draining_) send_final_goaway();
}

void ServerConnection::Core::send_final_goaway() noexcept {
  if (std::exchange(final_sent_, true)) return;
  session().goaway();
  wake_writer();
}

void ServerConnection::Core::leave(Ending ending) noexcept {
  if (over()) return;
  leaving_ = true;
  send_final_goaway();
  end(ending);
}

async::Task<void> ServerConnection::Core::read() {
  if (!first_.empty()) receive(std::exchange(first_, {}));
  while (!over()) {
    const auto ready = co_await input(next_wait());
    if (over()) break;
    if (ready) {
      co_await read_available();
    } else {
      on_wait_failed(ready.error());
    }
  }
}

async::Task<ConnectionEnd> ServerConnection::Core::run() {
  async::Scope* outer = co_await async::current_scope();
  async::Scope handlers(outer);
  async::Scope writer(outer);
  handlers_ = &handlers;
  set_scope(outer);
  counters().add(Counter::h2_connections);
  writer.spawn(write(write_timeout_));
  {
    DrainWatch watch_for_drain(*this, handlers);
    co_await read();
  }
  fail_all();
  const bool can_write = ending() != Ending::failed && ending() != Ending::stalled &&
                         ending() != Ending::cancelled &&
                         !(ending() == Ending::flood && is_writing());
  close_writer();
  if (!can_write) writer.request_stop();
  co_await handlers.join();
  co_await writer.join();
  read_own_last_words();
  handlers_ = nullptr;
  co_return result();
}

ConnectionEnd ServerConnection::Core::result() const noexcept {
  using How = ConnectionEnd::How;
  ConnectionEnd end{.error = error(), .reason = reason()};
  switch (ending()) {
    case Ending::none:
    case Ending::closed: end.how = How::closed; break;
    case Ending::idle: end.how = How::idle; break;
    case Ending::silent: end.how = How::silent; break;
    case Ending::stalled: end.how = How::stalled; break;
    case Ending::failed: end.how = How::failed; break;
    case Ending::protocol: end.how = How::protocol; break;
    case Ending::flood: end.how = How::flood; break;
    case Ending::cancelled: end.how = How::cancelled; break;
  }
  end.linger =
      (leaving_ && end.how != How::idle) || end.how == How::protocol || end.how == How::flood;
  return end;
}

// --- ServerConnection ---

ServerConnection::ServerConnection(io::Stream& stream, ServerHandler& handler,
                                   const ServerOptions& options, observe::Counters& counters)
    : core_(std::make_unique<Core>(*this, stream, handler, options, counters)) {}
ServerConnection::~ServerConnection() = default;

void ServerConnection::begin_with(std::string_view received) { core_->begin_with(received); }
async::Task<ConnectionEnd> ServerConnection::run() { return core_->run(); }
void ServerConnection::drain() noexcept { core_->drain(); }
void ServerConnection::set_idle(base::Duration timeout, base::Duration at_least) noexcept {
  core_->set_idle(timeout, at_least);
}
std::size_t ServerConnection::open_streams() const noexcept { return core_->running(); }
std::uint64_t ServerConnection::requests() const noexcept { return core_->requests(); }
std::uint64_t ServerConnection::bytes_received() const noexcept { return core_->bytes_received(); }
std::uint64_t ServerConnection::bytes_sent() const noexcept { return core_->bytes_sent(); }

}  // namespace http::h2
