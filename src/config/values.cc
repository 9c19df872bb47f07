#include "config/values.h"

#include <array>
#include <limits>

#include "base/text.h"

namespace config {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();

struct Unit {
  std::string_view name;
  std::uint64_t milliseconds;
};
constexpr std::uint64_t kSecond = 1000;
constexpr std::uint64_t kDay = 24 * 60 * 60 * kSecond;
// From the largest to the smallest: the order in which a text may use them. A number without a unit
// counts seconds and ends the text.
constexpr std::array kUnits = {
    Unit{"y", 365 * kDay},        Unit{"M", 30 * kDay},    Unit{"w", 7 * kDay}, Unit{"d", kDay},
    Unit{"h", 60 * 60 * kSecond}, Unit{"m", 60 * kSecond}, Unit{"s", kSecond},  Unit{"ms", 1},
};

std::optional<std::uint64_t> take_digits(std::string_view& text) noexcept {
  std::size_t count = 0;
  while (count < text.size() && base::is_digit(text[count])) ++count;
  const auto value = base::parse_number<std::uint64_t>(text.substr(0, count));
  text.remove_prefix(count);
  return value;
}

std::string_view take_unit(std::string_view& text) noexcept {
  std::size_t count = 0;
  while (count < text.size() && base::is_alpha(text[count])) ++count;
  const std::string_view unit = text.substr(0, count);
  text.remove_prefix(count);
  return unit;
}

std::optional<std::uint64_t> multiply(std::uint64_t a, std::uint64_t b) noexcept {
  if (b != 0 && a > kMax / b) return std::nullopt;
  return a * b;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept {
  std::uint64_t total = 0;
  std::size_t next_unit = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const auto number = take_digits(text);
    if (!number) return std::nullopt;
    const std::string_view name = take_unit(text);
    std::uint64_t scale = kSecond;
    if (name.empty()) {
      if (!text.empty() || next_unit >= kUnits.size() - 1) return std::nullopt;
    } else {
      while (next_unit < kUnits.size() && kUnits[next_unit].name != name) ++next_unit;
      if (next_unit == kUnits.size()) return std::nullopt;
      scale = kUnits[next_unit++].milliseconds;
    }
    const auto part = multiply(*number, scale);
    if (!part || *part > kMax - total) return std::nullopt;
    total += *part;
    if (!text.empty() && text.front() == ' ') {
      text.remove_prefix(text.find_first_not_of(' ') == std::string_view::npos
                             ? text.size()
                             : text.find_first_not_of(' '));
      if (text.empty()) return std::nullopt;
    }
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(total));
}

std::optional<std::chrono::seconds> parse_seconds(std::string_view text) noexcept {
  if (text.ends_with("ms")) return std::nullopt;
  const auto exact = parse_duration(text);
  if (!exact) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(*exact);
}

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  const auto number = take_digits(text);
  if (!number) return std::nullopt;
  std::uint64_t scale = 1;
  if (text.size() == 1) {
    switch (base::to_lower(text.front())) {
      case 'k': scale = std::uint64_t{1} << 10; break;
      case 'm': scale = std::uint64_t{1} << 20; break;
      case 'g': scale = std::uint64_t{1} << 30; break;
      default: return std::nullopt;
    }
  } else if (!text.empty()) {
    return std::nullopt;
  }
  return multiply(*number, scale);
}

std::optional<bool> parse_flag(std::string_view text) noexcept {
  if (base::equal_ignoring_case(text, "on")) return true;
  if (base::equal_ignoring_case(text, "off")) return false;
  return std::nullopt;
}

}  // namespace config
