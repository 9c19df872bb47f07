#include "tls/ticket_keys.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/random.h"

namespace tls {

TicketKey::~TicketKey() {
  OPENSSL_cleanse(cipher_key.data(), cipher_key.size());
  OPENSSL_cleanse(mac_key.data(), mac_key.size());
}

TicketKeys::TicketKeys(const base::Clock& clock, std::chrono::seconds lifetime)
    : clock_(clock), lifetime_(lifetime) {
  rotate(clock.now());
}

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
  std::erase_if(keys_,
                [&](const TicketKey& key) { return now - key.made > kRotation + lifetime_; });
  TicketKey key;
  base::fill_random(key.name);
  base::fill_random(key.cipher_key);
  base::fill_random(key.mac_key);
  key.made = now;
  keys_.insert(keys_.begin(), key);
  next_rotation_.store((now + kRotation).time_since_epoch().count(), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace tls
