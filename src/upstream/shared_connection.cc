#include "upstream/shared_connection.h"

#include <algorithm>
#include <utility>

#include "upstream/cluster.h"
#include "upstream/shared_pool.h"

namespace upstream {

// --- SharedConnection ---

SharedConnection::SharedConnection(Transport transport, const KeepAlive& options,
                                   const http::h2::ClientOptions& h2, observe::Counters& counters,
                                   Line* line)
    : loop_(transport.stream->loop()),
      options_(options),
      counters_(counters),
      tls_(transport.tls),
      line_(line),
      h2_(std::move(transport.stream), h2, counters, *this),
      opened_at_(loop_.now()),
      idle_since_(opened_at_) {
  counters_.add(observe::Counter::upstream_h2_connections);
}

SharedConnection::~SharedConnection() {
  counters_.subtract(observe::Counter::upstream_h2_connections);
}

async::Task<void> SharedConnection::run(std::shared_ptr<SharedConnection> self) {
  co_await self->h2_.run();
}

bool SharedConnection::is_worn() const noexcept {
  return retired_ || requests_ >= options_.max_requests ||
         loop_.now() - opened_at_ > options_.max_age;
}

std::size_t SharedConnection::room() const noexcept {
  if (is_worn() || !h2_.takes_requests()) return 0;
  const std::size_t most = h2_.max_requests();
  return leases_ < most ? most - leases_ : 0;
}

void SharedConnection::enter() noexcept {
  static_cast<io::Timer&>(*this).unlink();
  ++leases_;
  ++requests_;
}

void SharedConnection::leave() noexcept {
  --leases_;
  if (leases_ == 0) {
    idle_since_ = loop_.now();
    const bool is_kept = line_ != nullptr && options_.max_idle > 0 &&
                         options_.idle_timeout.count() > 0 && !is_worn();
    if (!is_kept) return retire();
    loop_.timers().set(*this, loop_.now() + options_.idle_timeout);
  }
  if (line_ != nullptr) line_->changed(*this);
}

void SharedConnection::retire() noexcept {
  retired_ = true;
  // A lease whose exchange has not begun yet is no request that h2 knows of.
  if (leases_ == 0) h2_.drain();
  on_change();
}

void SharedConnection::on_change() noexcept {
  if (line_ != nullptr) line_->changed(*this);
}

// --- Line ---

std::shared_ptr<SharedConnection> Line::enter(std::uint64_t after) noexcept {
  // The fullest that has room: the others may become idle, and end.
  std::shared_ptr<SharedConnection> best;
  for (const auto& connection : connections_) {
    if (connection->number_ <= after || connection->room() == 0) continue;
    if (best == nullptr || connection->leases_ > best->leases_) best = connection;
  }
  if (best != nullptr) best->enter();
  return best;
}

// Nor while it is not known how many requests the newest connection takes.
bool Line::may_connect(std::size_t most) const noexcept {
  return !connecting_ && !is_full(most) &&
         std::ranges::all_of(connections_, [](const auto& each) { return each->h2_.settled(); });
}

bool Line::is_full(std::size_t most) const noexcept { return connections_.size() >= most; }

bool Line::may_first_connect() noexcept {
  return !waiters_.empty() && may_connect(static_cast<Wait&>(waiters_.front()).most_);
}

void Line::add(std::shared_ptr<SharedConnection> connection, std::uint64_t number) {
  connection->number_ = number;
  connections_.push_back(std::move(connection));
}

void Line::wake(std::size_t most) noexcept {
  for (; most > 0 && !waiters_.empty(); --most) {
    static_cast<Wait&>(waiters_.front()).end({});
  }
}

void Line::changed(SharedConnection& connection) noexcept {
  if (connection.h2_.takes_requests() && !connection.retired_) {
    // One more than have room connects: it waited to learn how many there would be.
    wake(connection.room() + (may_first_connect() ? 1 : 0));
    if (connection.is_idle()) pool_.became_idle(connection);
    return;
  }
  connection.line_ = nullptr;
  static_cast<io::Timer&>(connection).unlink();
  // Whoever waits may connect anew, now that there is one less.
  std::erase_if(connections_, [&](const auto& each) { return each.get() == &connection; });
  wake(1);
}

void Line::let_go() noexcept {
  for (const auto& connection : std::exchange(connections_, {})) {
    connection->line_ = nullptr;
    static_cast<io::Timer&>(*connection).unlink();
    connection->retire();
  }
  wake(1);  // whoever waits for one of them connects anew
}

Line::Connecting::~Connecting() {
  line_.connecting_ = false;
  // One of them connects next, if there is no room for all.
  std::size_t room = 1;
  for (const auto& connection : line_.connections_) room += connection->room();
  line_.wake(room);
}

void Line::Connecting::fail(const Failure& failure) noexcept {
  const auto shared = std::make_shared<const Failure>(failure);
  while (!line_.waiters_.empty()) {
    auto& waiter = static_cast<Wait&>(line_.waiters_.front());
    waiter.outcome_.failure = shared;
    waiter.end({});
  }
}

// --- Wait ---

bool Line::Wait::suspend(std::coroutine_handle<> self, async::Scope* scope) noexcept {
  if (scope != nullptr && !scope->enlist(*this, async::Scope::Waiting::busy)) {
    outcome_.result = base::fail(base::ErrorCode::cancelled);
    return false;
  }
  handle_ = self;
  line_.waiters_.push_back(*this);
  if (deadline_ != base::kNoDeadline) loop_.timers().set(*this, deadline_);
  return true;
}

void Line::Wait::end(base::Result<void> result) noexcept {
  outcome_.result = result;
  static_cast<WaitLink&>(*this).unlink();
  static_cast<async::Cancellable&>(*this).unlink();
  static_cast<io::Timer&>(*this).unlink();
  loop_.executor().post(handle_);
}

}  // namespace upstream
