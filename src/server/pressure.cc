#include "server/pressure.h"

#include <fmt/format.h>

#include <algorithm>

namespace server {
namespace {

using observe::Counter;

constexpr std::uint64_t kSmallestReserve = 16;
constexpr std::uint64_t kLargestReserve = 1024;

/// Clients of a worker that are being served without a connection to a backend: each may need one.
/// The counters are read while the worker goes on: their difference may be off by a few.
std::uint64_t promised(const observe::Counters& counters) noexcept {
  const std::uint64_t open = counters.get(Counter::connections_active);
  const std::uint64_t settled =
      counters.get(Counter::connections_idle) + counters.get(Counter::upstream_active);
  return open > settled ? open - settled : 0;
}

}  // namespace

DescriptorMarks DescriptorMarks::of_limit(std::uint64_t limit) noexcept {
  const std::uint64_t reserve =
      std::min(std::clamp(limit / 8, kSmallestReserve, kLargestReserve), limit / 2);
  const std::uint64_t exhausted = limit - reserve;
  return {.scarce = exhausted - exhausted / 8, .exhausted = exhausted};
}

Supply DescriptorMarks::judge(std::uint64_t used) const noexcept {
  if (used >= exhausted) return Supply::exhausted;
  return used >= scarce ? Supply::scarce : Supply::plenty;
}

Supply judge_memory(std::uint64_t used, std::uint64_t limit) noexcept {
  if (limit == 0 || used < limit - limit / 8) return Supply::plenty;
  return used < limit ? Supply::scarce : Supply::exhausted;
}

Pressure::Pressure(std::uint64_t descriptor_limit) noexcept
    : limit_(descriptor_limit), marks_(DescriptorMarks::of_limit(descriptor_limit)) {}

void Pressure::join(const Member& member) {
  const std::scoped_lock lock(mutex_);
  members_.push_back(&member);
}

void Pressure::leave(const Member& member) {
  const std::scoped_lock lock(mutex_);
  std::erase(members_, &member);
}

void Pressure::shed(const Member* self, Shortage shortage) {
  const std::scoped_lock lock(mutex_);
  for (const Member* member : members_) {
    if (member != self) member->shed(shortage);
  }
}

Supply Pressure::judge_exactly(std::uint64_t descriptor) {
  std::uint64_t used = descriptor + 1;
  const std::scoped_lock lock(mutex_);
  for (const Member* member : members_) used += promised(member->counters);
  return marks_.judge(used);
}

Supply Pressure::set_memory_used(std::uint64_t bytes) noexcept {
  memory_used_ = bytes;
  const Supply supply = judge_memory(bytes, memory_limit_);
  memory_.store(supply, std::memory_order_relaxed);
  return supply;
}

bool Pressure::begins_episode(Shortage shortage, Stage stage, base::TimePoint now) noexcept {
  const Ticks before =
      last_[static_cast<std::size_t>(shortage)][static_cast<std::size_t>(stage)].exchange(
          now.time_since_epoch().count());
  return before == 0 || now - base::TimePoint(base::TimePoint::duration(before)) > kEpisodeEnd;
}

bool Pressure::is_recent(Shortage shortage, base::TimePoint now) const noexcept {
  return std::ranges::any_of(
      last_[static_cast<std::size_t>(shortage)], [now](const std::atomic<Ticks>& each) {
        const Ticks met = each.load();
        return met != 0 && now - base::TimePoint(base::TimePoint::duration(met)) <= kEpisodeEnd;
      });
}

std::string Pressure::describe(Shortage shortage, Stage stage) const {
  const std::string what = shortage == Shortage::descriptors
                               ? fmt::format("file descriptors run short (the limit is {})", limit_)
                               : fmt::format("memory runs short ({} MB, memory_limit is {} MB)",
                                             memory_used_ >> 20, memory_limit_ >> 20);
  if (stage == Stage::closing_idle) return what + ": idle connections are closed, the oldest first";
  return fmt::format("{}: nothing idle is left to close, new connections wait; raise {}", what,
                     shortage == Shortage::descriptors ? "worker_rlimit_nofile" : "memory_limit");
}

}  // namespace server
