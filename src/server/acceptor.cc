#include "server/acceptor.h"

#include <fmt/format.h>

#include <chrono>
#include <coroutine>
#include <utility>

namespace server {
namespace {

using base::ErrorCode;
using observe::Counter;

// A descriptor is freed by whichever connection ends, anywhere in the process: nobody tells us.
constexpr std::chrono::milliseconds kDescriptorPause{100};
// So that a flood of new connections leaves the others their turn.
constexpr unsigned kBurst = 64;

struct NextTurn {
  io::EventLoop& loop;
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) const {
    loop.post([self] { self.resume(); });
  }
  static void await_resume() noexcept {}
};

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
    auto accepted = co_await listener_->accept();
    if (accepted) {
      told_descriptors_ = false;
      begin(std::move(*accepted));
      if (++burst % kBurst == 0) co_await NextTurn{around_.loop};
      continue;
    }
    if (accepted.error().is(ErrorCode::cancelled)) {
      if (std::exchange(last_look, true)) co_return;
    } else if (!co_await wait_for_descriptors(accepted.error()) && scope->stop_requested()) {
      co_return;
    }
  }
}

async::Task<base::Result<void>> Acceptor::wait_for_room() {
  if (!std::exchange(told_limit_, true)) {
    around_.log->write(observe::Level::alert,
                       fmt::format("{} worker_connections are not enough", around_.limit.limit()));
  }
  around_.counters.add(Counter::limit_worker_connections);
  around_.limit.waiting_.push_back(&room_);
  base::Result<void> waited;
  while (waited && !around_.limit.has_room()) {
    waited = co_await room_.arrival();
    static_cast<void>(room_.try_receive());
  }
  std::erase(around_.limit.waiting_, &room_);
  co_return waited;
}

async::Task<base::Result<void>> Acceptor::wait_for_descriptors(base::Error error) {
  around_.counters.add(Counter::accept_failures);
  if (error.is(ErrorCode::exhausted)) around_.counters.add(Counter::limit_open_files);
  if (!std::exchange(told_descriptors_, true)) {
    around_.log->write(observe::Level::crit, base::describe(error));
  }
  co_return co_await io::sleep_until(around_.loop, around_.loop.now() + kDescriptorPause);
}

void Acceptor::begin(io::Accepted accepted) {
  around_.counters.add(Counter::connections_accepted);
  around_.counters.add(Counter::connections_active);
  around_.limit.enter();
  // The episode is over once there is room to spare: a worker that stays full tells it once.
  if (around_.limit.open() < around_.limit.limit() / 8 * 7) told_limit_ = false;
  around_.connections.spawn(serve_counted(around_, std::move(accepted), address_));
}

async::Task<void> Acceptor::serve_counted(Surroundings around, io::Accepted accepted,
                                          base::Address local) {
  co_await around.serve(std::move(accepted), local);
  around.counters.subtract(Counter::connections_active);
  around.counters.add(Counter::connections_closed);
  around.limit.leave();
}

}  // namespace server
