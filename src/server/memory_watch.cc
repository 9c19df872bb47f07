#include "server/memory_watch.h"

#include <malloc.h>

#include <chrono>

#include "server/machine.h"

namespace server {
namespace {

constexpr std::chrono::milliseconds kCalm{1000};
constexpr std::chrono::milliseconds kUrgent{100};

}  // namespace

void MemoryWatch::set_limit(std::uint64_t bytes) {
  pressure_.set_memory_limit(bytes);
  static_cast<void>(pressure_.set_memory_used(resident_memory()));
  loop_.timers().set(*this, bytes == 0 ? base::kNoDeadline : loop_.now() + kUrgent);
}

void MemoryWatch::on_timer() noexcept {
  const Supply supply = pressure_.set_memory_used(resident_memory());
  if (supply != Supply::plenty) {
    pressure_.shed(nullptr, Pressure::Shortage::memory);
    // Freed memory counts as used until the kernel has it back. It takes the arenas' locks.
    if (loop_.now() >= may_trim_) {
      ::malloc_trim(0);
      may_trim_ = loop_.now() + kCalm;
    }
  }
  loop_.timers().set(*this, loop_.now() + (supply == Supply::plenty ? kCalm : kUrgent));
}

}  // namespace server
