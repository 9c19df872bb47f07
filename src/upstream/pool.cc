#include "upstream/pool.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace upstream {

Connection::Connection(Transport transport, const Identity& identity)
    : transport_(std::move(transport)), identity_(identity), opened_at_(now()) {}

bool Connection::is_quiet() noexcept {
  if (!stream().may_be_ready(io::Direction::read)) return true;
  std::array<char, 1> byte{};
  const auto got = stream().try_read(byte);
  return !got && got.error().is(base::ErrorCode::would_block);
}

void Connection::on_ready() noexcept {
  if (doomed_ || is_quiet()) return;
  doomed_ = true;
  pool_->loop_.timers().set(*this, pool_->loop_.now());
}

void Connection::on_timer() noexcept { pool_->discard(*this); }

Pool::Pool(io::EventLoop& loop, KeepAlive options, observe::Counters* counters) noexcept
    : loop_(loop), options_(options), counters_(counters) {}

Pool::~Pool() { clear(); }

std::unique_ptr<Connection> Pool::remove(Stack& stack, Stack::iterator at) noexcept {
  std::unique_ptr<Connection> connection = std::move(*at);
  stack.erase(at);
  connection->stream().set_waiter(io::Direction::read, nullptr);
  static_cast<io::Timer&>(*connection).unlink();
  connection->pool_ = nullptr;
  --size_;
  if (counters_ != nullptr) counters_->subtract(observe::Counter::upstream_idle);
  return connection;
}

std::unique_ptr<Connection> Pool::take(const Identity& identity) {
  const auto found = idle_.find(identity.peer);
  if (found == idle_.end()) return nullptr;
  Stack& stack = found->second;
  for (std::size_t i = stack.size(); i > 0; --i) {
    const auto at = stack.begin() + static_cast<std::ptrdiff_t>(i - 1);
    if ((*at)->doomed_ || !(*at)->matches(identity)) continue;
    std::unique_ptr<Connection> connection = remove(stack, at);
    if (connection->is_quiet()) return connection;
  }
  return nullptr;
}

bool Pool::put(std::unique_ptr<Connection> connection) {
  if (closed_ || options_.max_idle == 0 || options_.idle_timeout.count() == 0) return false;
  if (loop_.now() - connection->opened_at_ > options_.max_age) return false;
  if (connection->single_use || connection->requests >= options_.max_requests ||
      !connection->is_quiet())
    return false;
  if (size_ >= options_.max_idle) discard_oldest();
  Connection& idle = *connection;
  idle.pool_ = this;
  idle.age_ = next_age_++;
  idle.idle_since_ = loop_.now();
  idle_[idle.peer()].push_back(std::move(connection));
  ++size_;
  if (counters_ != nullptr) counters_->add(observe::Counter::upstream_idle);
  idle.stream().set_waiter(io::Direction::read, &idle);
  loop_.timers().set(idle, loop_.now() + options_.idle_timeout);
  return true;
}

void Pool::discard(Connection& connection) noexcept {
  Stack& stack = idle_.find(connection.peer())->second;
  const auto at = std::ranges::find(stack, &connection, &std::unique_ptr<Connection>::get);
  CHECK(at != stack.end());
  remove(stack, at).reset();
}

Connection* Pool::oldest() const noexcept {
  Connection* oldest = nullptr;
  for (const auto& [peer, stack] : idle_) {
    if (stack.empty()) continue;
    if (oldest == nullptr || stack.front()->age_ < oldest->age_) oldest = stack.front().get();
  }
  return oldest;
}

base::TimePoint Pool::oldest_since() const noexcept {
  const Connection* found = size_ == 0 ? nullptr : oldest();
  return found == nullptr ? base::kNoDeadline : found->idle_since_;
}

void Pool::discard_oldest() noexcept {
  if (Connection* found = oldest()) discard(*found);
}

void Pool::forget(std::uint32_t peer) {
  const auto found = idle_.find(peer);
  if (found == idle_.end()) return;
  while (!found->second.empty()) discard(*found->second.back());
  idle_.erase(found);
}

void Pool::clear() {
  while (!idle_.empty()) forget(idle_.begin()->first);
}

void Pool::close() {
  closed_ = true;
  clear();
}

}  // namespace upstream
