#include "server/acceptor.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "server/orphans.h"

namespace server {
namespace {

using base::ErrorCode;
using observe::Counter;

// A descriptor is freed by whichever connection ends, anywhere in the process: nobody tells us.
constexpr std::chrono::milliseconds kDescriptorPause{100};
// How often a full worker looks for connections that have become idle.
constexpr std::chrono::milliseconds kRoomPause{50};
// So that a flood of new connections leaves the others their turn.
constexpr unsigned kBurst = 64;

}  // namespace

void ConnectionLimit::set_limit(std::size_t limit) noexcept {
  limit_ = limit;
  if (has_room()) {
    for (async::Channel<char>* channel : waiting_) {
      char token = 0;
      static_cast<void>(channel->try_send(token));
    }
  }
}

void ConnectionLimit::leave() noexcept {
  --open_;
  if (!waiting_.empty()) set_limit(limit_);
}

Acceptor::Acceptor(Surroundings around, base::Address address,
                   std::unique_ptr<io::Listener> listener)
    : around_(around), address_(address), listener_(std::move(listener)) {}

Acceptor::~Acceptor() = default;

async::Task<void> Acceptor::run() {
  const async::Scope* scope = co_await async::current_scope();
  unsigned burst = 0;
  bool last_look = false;
  while (true) {
    if (!around_.limit.has_room() && !co_await wait_for_room()) co_return;
    // Cancelled: accept() will say so, after what waits in the queue.
    if (around_.relief.must_wait() && !last_look) static_cast<void>(co_await around_.relief.wait());
    auto accepted = co_await listener_->accept();
    if (accepted) {
      told_descriptors_ = false;
      begin(std::move(*accepted));
      if (++burst % kBurst == 0) co_await io::NextTurn(around_.loop);
      continue;
    }
    if (accepted.error().is(ErrorCode::cancelled)) {
      if (std::exchange(last_look, true)) co_return;
    } else if (!co_await wait_for_descriptors(accepted.error()) && scope->stop_requested()) {
      co_return;
    }
  }
}

async::Task<void> Acceptor::take_over(io::Accepted accepted) {
  if (!around_.limit.has_room()) around_.counters.add(Counter::limit_worker_connections);
  while (!around_.limit.has_room()) {
    static_cast<void>(around_.relief.close_idle());
    if (!co_await io::sleep_until(around_.loop, around_.loop.now() + kRoomPause)) co_return;
  }
  begin(std::move(accepted));
}

async::Task<base::Result<void>> Acceptor::wait_for_room() {
  // One place is kept free as long as somebody is idle, whether or not a client waits: the next one
  // is then taken at once. (nginx keeps a sixteenth.)
  const bool reuses = around_.relief.close_idle() > 0;
  if (!std::exchange(told_limit_, true)) {
    around_.log->write(reuses ? observe::Level::warn : observe::Level::alert,
                       fmt::format("{} worker_connections are not enough{}", around_.limit.limit(),
                                   reuses ? ", reusing connections" : ""));
  }
  around_.counters.add(Counter::limit_worker_connections);
  around_.limit.waiting_.push_back(&room_);
  base::Result<void> waited;
  async::Scope making_room;
  making_room.spawn(make_room());
  while (waited && !around_.limit.has_room()) {
    waited = co_await room_.arrival();
    static_cast<void>(room_.try_receive());
  }
  making_room.request_stop();
  co_await making_room.join();
  std::erase(around_.limit.waiting_, &room_);
  co_return waited;
}

async::Task<void> Acceptor::make_room() {
  while (co_await io::sleep_until(around_.loop, around_.loop.now() + kRoomPause)) {
    static_cast<void>(around_.relief.close_idle());
  }
}

async::Task<base::Result<void>> Acceptor::wait_for_descriptors(base::Error error) {
  around_.counters.add(Counter::accept_failures);
  if (error.is(ErrorCode::exhausted)) around_.counters.add(Counter::limit_open_files);
  if (!std::exchange(told_descriptors_, true)) {
    around_.log->write(observe::Level::crit, base::describe(error));
  }
  if (base::is_descriptor_shortage(error)) static_cast<void>(around_.loop.relieve());
  co_return co_await io::sleep_until(around_.loop, around_.loop.now() + kDescriptorPause);
}

void Acceptor::begin(io::Accepted accepted) {
  around_.counters.add(Counter::connections_accepted);
  around_.counters.add(Counter::connections_active);
  around_.limit.enter();
  // The episode is over once there is room to spare: a worker that stays full tells it once.
  if (around_.limit.open() < around_.limit.limit() / 8 * 7) told_limit_ = false;
  const int descriptor = accepted.socket.get();
  if (accepted.peer.is_unix()) mark_as_unread(descriptor);
  around_.connections.spawn(serve_counted(around_, std::move(accepted), address_));
  around_.relief.on_accept(descriptor);
}

async::Task<void> Acceptor::serve_counted(Surroundings around, io::Accepted accepted,
                                          base::Address local) {
  co_await around.serve(std::move(accepted), local);
  around.counters.subtract(Counter::connections_active);
  around.counters.add(Counter::connections_closed);
  around.limit.leave();
}

}  // namespace server
