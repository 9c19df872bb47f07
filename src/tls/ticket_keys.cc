#include "tls/ticket_keys.h"

#include <utility>
#include <vector>

#include "base/check.h"

namespace tls {

TicketKeys::TicketKeys(const base::Clock& clock, std::chrono::seconds lifetime, TicketSecret secret)
    : clock_(clock), secret_(std::move(secret)), lifetime_(lifetime) {
  rotate(clock.now());
}

TicketKeys::TicketKeys(const base::Clock& clock, std::chrono::seconds lifetime)
    : TicketKeys(clock, lifetime, TicketSecret::make(clock.now())) {}

void TicketKeys::set_lifetime(std::chrono::seconds lifetime) {
  const std::scoped_lock lock(mutex_);
  lifetime_ = lifetime;
}

void TicketKeys::refresh(Copy& copy) {
  const base::TimePoint now = clock_.now();
  if (now.time_since_epoch().count() >= next_rotation_.load(std::memory_order_relaxed)) {
    const std::scoped_lock lock(mutex_);
    if (now - keys_.front().made >= kRotation) rotate(now);
  }
  if (copy.generation == generation_.load(std::memory_order_relaxed)) return;
  const std::scoped_lock lock(mutex_);
  copy.keys = keys_;
  copy.generation = generation_.load(std::memory_order_relaxed);
}

void TicketKeys::rotate(base::TimePoint now) {
  // A key makes tickets for an hour; the last of them is good for `lifetime_` after that.
  const auto is_over = [&](base::TimePoint made) { return now - made > kRotation + lifetime_; };
  std::erase_if(keys_, [&](const TicketKey& key) { return is_over(key.made); });
  const TicketSecret::Period newest = TicketSecret::period_of(now);
  while (secret_.first() <= newest) {
    const TicketSecret::Period period = secret_.first();
    if (!is_over(TicketSecret::start_of(period))) keys_.insert(keys_.begin(), secret_.key(period));
    secret_.forget_before(period + 1);
  }
  CHECK(!keys_.empty());
  next_rotation_.store(TicketSecret::start_of(newest + 1).time_since_epoch().count(),
                       std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace tls
