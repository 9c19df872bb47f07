// Character classes of HTTP's grammar, one table look-up each.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace http {

namespace character_class {
inline constexpr std::uint8_t kToken = 1;   // tchar, RFC 9110 §5.6.2
inline constexpr std::uint8_t kValue = 2;   // field-vchar, SP, HTAB and obs-text: RFC 9110 §5.5
inline constexpr std::uint8_t kTarget = 4;  // what a request-target may hold: see is_target
inline constexpr std::uint8_t kMethod = 8;  // 'A'-'Z', '-', '_'
inline constexpr std::uint8_t kHost = 16;   // unreserved, RFC 3986 §2.3

consteval std::array<std::uint8_t, 256> make_table() {
  std::array<std::uint8_t, 256> table{};
  for (unsigned i = 0; i < 256; ++i) {
    const bool digit = i >= '0' && i <= '9';
    const bool upper = i >= 'A' && i <= 'Z';
    const bool alpha = upper || (i >= 'a' && i <= 'z');
    const auto among = [i](std::string_view set) {
      return i < 128 && set.find(static_cast<char>(i)) != std::string_view::npos;
    };
    std::uint8_t classes = 0;
    if (digit || alpha || among("!#$%&'*+-.^_`|~")) classes |= kToken;
    if (i == '\t' || (i >= 0x20 && i != 0x7f)) classes |= kValue;
    if (i > 0x20 && i != 0x7f && i != '#') classes |= kTarget;
    if (upper || among("-_")) classes |= kMethod;
    if (digit || alpha || among("-._~")) classes |= kHost;
    table[i] = classes;
  }
  return table;
}
inline constexpr std::array<std::uint8_t, 256> kTable = make_table();

[[nodiscard]] constexpr bool is(char c, std::uint8_t wanted) noexcept {
  return (kTable[static_cast<unsigned char>(c)] & wanted) != 0;
}
/// Without a way out at the first that is not: texts are short, and almost all are good.
[[nodiscard]] constexpr bool all(std::string_view text, std::uint8_t wanted) noexcept {
  std::uint8_t common = wanted;
  for (const char c : text) common &= kTable[static_cast<unsigned char>(c)];
  return common == wanted;
}
}  // namespace character_class

[[nodiscard]] constexpr bool is_token_char(char c) noexcept {
  return character_class::is(c, character_class::kToken);
}
/// 1*tchar: a field name, a transfer coding.
[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
  return !text.empty() && character_class::all(text, character_class::kToken);
}
/// No CR, LF, NUL or other control byte but HTAB. May be empty.
[[nodiscard]] constexpr bool is_field_value(std::string_view text) noexcept {
  return character_class::all(text, character_class::kValue);
}
/// No control byte, space or '#'. Bytes that RFC 3986 wants escaped ('|', '"', UTF-8) are let
/// through, since browsers send them bare; canonical_path is stricter.
[[nodiscard]] constexpr bool is_target(std::string_view text) noexcept {
  return !text.empty() && character_class::all(text, character_class::kTarget);
}

}  // namespace http
