// Text without locales: ASCII case, trimming, strict numbers, the nearest word for "did you mean".
// Every function takes views and owns nothing.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace base {

[[nodiscard]] constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_alpha(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/// 0..15, or -1 if `c` is not a hexadecimal digit.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] bool starts_with_ignoring_case(std::string_view text,
                                             std::string_view prefix) noexcept;

/// Without spaces and tabs at both ends (HTTP's OWS).
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;

/// The part before the first `separator`; `rest` keeps what follows it, or becomes empty.
[[nodiscard]] std::string_view split_first(std::string_view& rest, char separator) noexcept;

/// Digits only: no sign, no spaces, no overflow; otherwise nothing.
template <std::unsigned_integral T>
[[nodiscard]] std::optional<T> parse_number(std::string_view text, int number_base = 10) noexcept {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stopped_at, error] = std::from_chars(text.data(), end, value, number_base);
  if (error != std::errc{} || stopped_at != end || text.empty()) return std::nullopt;
  return value;
}

/// Number of insertions, deletions, replacements and swaps of neighbours between two words.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` was most likely meant to be, or nothing when none is near
/// (distance <= 1 for short words, <= 3 for long ones).
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      std::span<const std::string_view> candidates);

}  // namespace base
