// Request times as a status tells them: how many requests took at most so many microseconds.
#pragma once

#include <cstdint>
#include <map>

namespace cli {

using RequestTimes = std::map<std::uint64_t, std::uint64_t>;  // µs, at most -> how many

/// What came between two looks: never negative.
[[nodiscard]] RequestTimes difference(const RequestTimes& now, const RequestTimes& before);
[[nodiscard]] std::uint64_t count(const RequestTimes& times) noexcept;
/// The time that this share of the requests did not exceed; 0 without requests.
[[nodiscard]] std::uint64_t percentile(const RequestTimes& times, double share) noexcept;

}  // namespace cli
