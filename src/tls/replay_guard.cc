#include "tls/replay_guard.h"

#include <openssl/rand.h>

#include <utility>

#include "base/check.h"

namespace tls {

ReplayGuard::ReplayGuard(std::size_t most) : most_(most) {
  CHECK(RAND_bytes(mark_.data(), static_cast<int>(mark_.size())) == 1);
}

ReplayGuard::Verdict ReplayGuard::check(const Random& random, base::TimePoint now) {
  const std::scoped_lock lock(mutex_);
  if (now - began_ >= kWindow) {
    previous_ = now - began_ < 2 * kWindow ? std::move(current_) : std::set<Random>();
    current_.clear();
    began_ = now;
  }
  if (current_.contains(random) || previous_.contains(random)) return Verdict::replayed;
  if (current_.size() >= most_) return Verdict::full;
  current_.insert(random);
  return Verdict::fresh;
}

}  // namespace tls
