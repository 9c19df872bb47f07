// IntervalTable: from numbers (addresses) to what holds for the interval that each lies in. The
// intervals' first numbers stand sorted in one array; an index over the upper 16 bits leaves a few
// of them to a binary search. Immutable once finished.
//
// Rejected: a radix tree as nginx has. It takes a node per bit, and a cache miss at each.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"

namespace script {

template <class Key>
class IntervalTable {
 public:
  /// All numbers give `value` until append() says otherwise.
  explicit IntervalTable(std::uint32_t value = 0) : starts_{Key{0}}, values_{value} {}

  /// From `start` on `value` holds. In ascending order; of several with one start the last counts.
  void append(Key start, std::uint32_t value) {
    CHECK(start >= starts_.back());
    if (start == starts_.back()) {
      values_.back() = value;
    } else if (value != values_.back()) {
      starts_.push_back(start);
      values_.push_back(value);
    }
  }

  /// After the last append().
  void finish() {
    index_.resize(kBuckets + 1);
    std::size_t at = 0;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
      const Key first = static_cast<Key>(static_cast<Key>(bucket) << kShift);
      while (at + 1 < starts_.size() && starts_[at + 1] <= first) ++at;
      index_[bucket] = static_cast<std::uint32_t>(at);
    }
    index_[kBuckets] = static_cast<std::uint32_t>(starts_.size() - 1);
  }

  /// O(log of the intervals that share their upper 16 bits).
  [[nodiscard]] std::uint32_t find(Key key) const noexcept {
    const auto bucket = static_cast<std::size_t>(key >> kShift);
    const std::size_t first = index_[bucket];  // starts_[first] <= key
    const std::size_t count = index_[bucket + 1] - first + 1;
    const std::span<const Key> near = std::span(starts_).subspan(first, count);
    const auto after = std::ranges::upper_bound(near, key);
    return values_[first + static_cast<std::size_t>(after - near.begin()) - 1];
  }

  [[nodiscard]] std::size_t size() const noexcept { return starts_.size(); }

 private:
  static constexpr std::size_t kBuckets = 65536;
  static constexpr unsigned kShift = sizeof(Key) * 8 - 16;

  std::vector<Key> starts_;  // the first one is 0
  std::vector<std::uint32_t> values_;
  std::vector<std::uint32_t>
      index_;  // the interval of each bucket's first number, and the last one
};

}  // namespace script
