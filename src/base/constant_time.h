// Comparing secrets.
#pragma once

#include <cstddef>
#include <string_view>

namespace base {

/// Takes as long for any two texts of their sizes.
[[nodiscard]] inline bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  volatile unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const unsigned left = i < a.size() ? static_cast<unsigned char>(a[i]) : 0U;
    difference = difference | (left ^ static_cast<unsigned char>(b[i]));
  }
  return difference == 0;
}

}  // namespace base
