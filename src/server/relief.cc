#include "server/relief.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "io/socket.h"
#include "proxy/site.h"

namespace server {
namespace {

using observe::Counter;
using observe::Level;
using Shortage = Pressure::Shortage;
using Stage = Pressure::Stage;

// nginx's: an eighth of what is idle, one at least.
constexpr std::uint64_t kMostAtOnce = 32;

/// The number that the next descriptor would get; the limit itself if there is none.
int lowest_free_descriptor(std::uint64_t limit) noexcept {
  const int free = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  if (free < 0) return static_cast<int>(std::min<std::uint64_t>(limit, 1U << 30));
  ::close(free);
  return free;
}

}  // namespace

Relief::Relief(Pressure& pressure, Surroundings around)
    : pressure_(pressure),
      around_(around),
      member_{.counters = around.counters, .shed = [this](Shortage shortage) {
                around_.loop.post([this, shortage] {
                  if (close_idle() > 0) tell(shortage, Stage::closing_idle);
                });
              }} {
  pressure_.join(member_);
  around_.loop.set_relief([this] {
    relieve(Shortage::descriptors);
    return true;
  });
}

Relief::~Relief() {
  around_.loop.set_relief(nullptr);
  pressure_.leave(member_);
}

std::size_t Relief::close_idle() {
  // What is only kept for speed goes first.
  const std::size_t files = around_.site != nullptr ? around_.site->close_kept_files() : 0;
  around_.counters.add(Counter::limit_open_file_cache, files);
  if (files > 0) return files;
  const std::uint64_t idle = around_.counters.get(Counter::connections_idle);
  const std::size_t share = std::clamp<std::uint64_t>(idle / 8, 1, kMostAtOnce);
  std::size_t closed = 0;
  while (closed < share && around_.clients.request_drain_of_oldest()) ++closed;
  around_.counters.add(Counter::relief_clients, closed);
  if (closed > 0 || around_.site == nullptr) return closed;
  while (closed < share && around_.site->close_oldest_idle()) ++closed;
  around_.counters.add(Counter::relief_backends, closed);
  return closed;
}

void Relief::tell(Shortage shortage, Stage stage) {
  if (!pressure_.begins_episode(shortage, stage, around_.loop.now())) return;
  around_.log->write(stage == Stage::waiting ? Level::alert : Level::error,
                     pressure_.describe(shortage, stage));
}

void Relief::relieve(Shortage shortage) {
  tell(shortage, Stage::closing_idle);
  if (close_idle() == 0) pressure_.shed(&member_, shortage);
}

void Relief::on_accept(int descriptor) {
  descriptors_ = pressure_.judge(descriptor);
  if (descriptors_ != Supply::plenty) relieve(Shortage::descriptors);
}

void Relief::look_again() {
  if (descriptors_ == Supply::exhausted) {
    descriptors_ = pressure_.judge(lowest_free_descriptor(pressure_.descriptor_limit()));
  }
}

async::Task<base::Result<void>> Relief::wait() {
  const Shortage shortage =
      descriptors_ == Supply::exhausted ? Shortage::descriptors : Shortage::memory;
  around_.counters.add(shortage == Shortage::descriptors ? Counter::limit_open_files
                                                         : Counter::limit_memory);
  for (bool first = true; must_wait() && around_.clients.running() > 0; first = false) {
    // What was closed so far is free at the end of this turn.
    if (!first) {
      if (around_.counters.get(Counter::connections_idle) == 0) tell(shortage, Stage::waiting);
      relieve(shortage);
    }
    CO_TRY_VOID(
        co_await io::sleep_until(around_.loop, around_.loop.now() + io::EventLoop::kReliefPause));
    look_again();
  }
  descriptors_ = Supply::plenty;
  co_return base::Result<void>{};
}

}  // namespace server
