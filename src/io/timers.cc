#include "io/timers.h"

#include <algorithm>

namespace io {

void TimerWheel::set(Timer& timer, base::TimePoint due) noexcept {
  timer.unlink();
  if (due == base::kNoDeadline) return;
  const auto since = std::max(due - start_, base::Duration::zero());
  const auto ticks = static_cast<std::uint64_t>((since + kTick - base::Duration(1)) / kTick);
  timer.due_tick_ = std::max(ticks, tick_ + 1);
  place(timer);
}

void TimerWheel::place(Timer& timer) noexcept {
  const std::uint64_t away = timer.due_tick_ - tick_;
  std::uint64_t at = timer.due_tick_;
  std::size_t wheel = 0;
  if (away >= kSlots) wheel = away < kSlots * kSlots ? 1 : 2;
  if (wheel == 2) at = std::min(at, tick_ + (kSlots - 1) * kSlots * kSlots);
  wheels_[wheel].slots[(at >> (8 * wheel)) % kSlots].push_back(timer);
}

void TimerWheel::turn() noexcept {
  ++tick_;
  // An outer slot is spread when the inner wheel begins a new round.
  for (std::size_t wheel = kWheels - 1; wheel > 0; --wheel) {
    if (tick_ % (std::uint64_t{1} << (8 * wheel)) != 0) continue;
    async::List<Timer> spread;
    spread.take(wheels_[wheel].slots[(tick_ >> (8 * wheel)) % kSlots]);
    while (!spread.empty()) {
      Timer& timer = spread.pop_front();
      if (timer.due_tick_ < tick_) timer.due_tick_ = tick_;
      place(timer);
    }
  }
  async::List<Timer> due;
  due.take(wheels_[0].slots[tick_ % kSlots]);
  while (!due.empty()) due.pop_front().on_timer();
}

void TimerWheel::advance(base::TimePoint now) noexcept {
  const auto since = std::max(now - start_, base::Duration::zero());
  const auto target = static_cast<std::uint64_t>(since / kTick);
  while (tick_ < target) turn();
}

std::optional<base::TimePoint> TimerWheel::next() const noexcept {
  const auto time_of = [this](std::uint64_t tick) {
    return start_ + kTick * static_cast<std::int64_t>(tick);
  };
  const auto occupied = [](const async::List<Timer>& slot) { return !slot.empty(); };
  const auto& inner = wheels_[0].slots;
  for (std::uint64_t ahead = 1; ahead <= kSlots; ++ahead) {
    if (occupied(inner[(tick_ + ahead) % kSlots])) return time_of(tick_ + ahead);
    // At a round's end the outer wheels may bring timers in.
    if ((tick_ + ahead) % kSlots == 0 &&
        occupied(wheels_[1].slots[((tick_ + ahead) >> 8U) % kSlots])) {
      return time_of(tick_ + ahead);
    }
  }
  const std::uint64_t next_round = (tick_ / kSlots + 1) * kSlots;
  for (std::size_t wheel = 1; wheel < kWheels; ++wheel) {
    if (std::ranges::any_of(wheels_[wheel].slots, occupied)) return time_of(next_round);
  }
  return std::nullopt;
}

}  // namespace io
