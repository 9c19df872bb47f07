#include "http/basic_credentials.h"

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/text.h"

namespace http {
namespace {

/// RFC 4648 §4. Padding may be missing; nothing for other characters.
std::optional<std::string_view> decode_base64(base::Arena& arena, std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  text = text.substr(0, text.find('='));
  if (text.size() % 4 == 1) return std::nullopt;
  const std::span<char> out = arena.allocate_chars(text.size() / 4 * 3 + 2);
  std::size_t size = 0;  // <= text.size() * 3 / 4
  std::uint32_t bits = 0;
  unsigned pending = 0;  // bits not yet given out, < 8
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    pending += 6;
    if (pending < 8) continue;
    pending -= 8;
    out[size++] = static_cast<char>((bits >> pending) & 0xffU);
  }
  return std::string_view(out.data(), size);
}

}  // namespace

std::optional<BasicCredentials> parse_basic_credentials(std::string_view value,
                                                        base::Arena& arena) {
  constexpr std::string_view kScheme = "Basic ";
  if (!base::starts_with_ignoring_case(value, kScheme)) return std::nullopt;
  value.remove_prefix(kScheme.size());
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  const auto decoded = decode_base64(arena, value);
  if (!decoded) return std::nullopt;
  const std::size_t colon = decoded->find(':');
  if (colon == 0 || colon == std::string_view::npos) return std::nullopt;
  return BasicCredentials{decoded->substr(0, colon), decoded->substr(colon + 1)};
}

}  // namespace http
