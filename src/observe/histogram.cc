#include "observe/histogram.h"

#include <cmath>
#include <numeric>

namespace observe {

void Histogram::add(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < kSize; ++i) counts_[i] += other.counts_[i];
}

std::uint64_t Histogram::count() const noexcept {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

std::uint64_t Histogram::last_of(std::size_t bucket) noexcept {
  if (bucket < 2 * kPerPower) return bucket;
  const std::size_t shift = bucket / kPerPower - 1;
  return ((bucket - shift * kPerPower + 1) << shift) - 1;
}

std::uint64_t Histogram::percentile(double share) const noexcept {
  const std::uint64_t all = count();
  if (all == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(all)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kSize; ++i) {
    seen += counts_[i];
    if (seen != 0 && seen >= wanted) return last_of(i);
  }
  return last_of(kSize - 1);
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> Histogram::buckets() const {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
  for (std::size_t i = 0; i < kSize; ++i) {
    if (counts_[i] != 0) all.emplace_back(last_of(i), counts_[i]);
  }
  return all;
}

}  // namespace observe
