#include "cli/request_times.h"

#include <algorithm>
#include <cmath>

namespace cli {

RequestTimes difference(const RequestTimes& now, const RequestTimes& before) {
  RequestTimes since = now;
  for (const auto& [value, count] : before) {
    const auto found = since.find(value);
    if (found != since.end()) found->second -= std::min(found->second, count);
  }
  std::erase_if(since, [](const auto& each) { return each.second == 0; });
  return since;
}

std::uint64_t count(const RequestTimes& times) noexcept {
  std::uint64_t all = 0;
  for (const auto& [value, count] : times) all += count;
  return all;
}

std::uint64_t percentile(const RequestTimes& times, double share) noexcept {
  const auto wanted =
      static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count(times))));
  std::uint64_t seen = 0;
  for (const auto& [value, count] : times) {
    seen += count;
    if (seen != 0 && seen >= wanted) return value;
  }
  return 0;
}

}  // namespace cli
