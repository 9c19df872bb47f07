#include "base/decimal.h"

#include <array>
#include <charconv>
#include <limits>

namespace base {

std::string_view decimal(std::uint64_t number, Arena& arena) {
  std::array<char, std::numeric_limits<std::uint64_t>::digits10 + 1> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  return arena.copy(std::string_view(digits.begin(), end));
}

}  // namespace base
