// Histogram: how often which durations came, for percentiles. Buckets are log-linear: sixteen to
// each power of two, so that a bucket is at most a sixteenth as wide as its values are large, and
// to count one takes a few instructions. Bounded (4 KB), merged by addition.
//
//   0 1 2 ... 15 | 16 17 ... 31 | 32 34 ... 62 | 64 68 ... 124 | ...   first value of each bucket
//
// Plain integers of one thread; who wants them on another is sent a copy. An exact sketch
// (t-digest, HDR with more digits) was rejected: six percent are enough to see that something is
// slow.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace observe {

class Histogram {
 public:
  /// Values from here on share the last bucket: 19 hours in microseconds.
  static constexpr std::uint64_t kLimit = std::uint64_t{1} << 36;

  void add(std::uint64_t value) noexcept { ++counts_[bucket_of(value)]; }
  void add(const Histogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept;
  /// The largest value of the bucket below or in which `share` (0 to 1) of all values are; 0 if
  /// there are none.
  [[nodiscard]] std::uint64_t percentile(double share) const noexcept;
  /// The buckets that are not empty: their largest value, and how many there are.
  [[nodiscard]] std::vector<std::pair<std::uint64_t, std::uint64_t>> buckets() const;

 private:
  static constexpr unsigned kBits = 4;  // 2^kBits buckets to a power of two
  static constexpr std::size_t kPerPower = std::size_t{1} << kBits;
  static constexpr std::size_t kSize = (36 - kBits + 1) * kPerPower;

  [[nodiscard]] static std::size_t bucket_of(std::uint64_t value) noexcept {
    if (value < kPerPower) return static_cast<std::size_t>(value);
    if (value >= kLimit) return kSize - 1;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kBits;
    return shift * kPerPower + static_cast<std::size_t>(value >> shift);
  }
  [[nodiscard]] static std::uint64_t last_of(std::size_t bucket) noexcept;

  std::array<std::uint64_t, kSize> counts_{};
};

}  // namespace observe
