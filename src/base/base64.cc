#include "base/base64.h"

namespace base {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

std::optional<std::size_t> decode_base64(std::string_view text, Base64 alphabet,
                                         std::span<char> into) noexcept {
  const std::string_view digits = alphabet == Base64::standard ? kStandard : kUrl;
  text = text.substr(0, text.find('='));
  if (text.size() % 4 == 1) return std::nullopt;
  std::size_t size = 0;  // <= text.size() * 3 / 4
  std::uint32_t bits = 0;
  unsigned pending = 0;  // bits not yet given out, < 8
  for (const char c : text) {
    const std::size_t digit = digits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    pending += 6;
    if (pending < 8) continue;
    pending -= 8;
    if (size == into.size()) return std::nullopt;
    into[size++] = static_cast<char>((bits >> pending) & 0xffU);
  }
  return size;
}

std::string encode_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  unsigned pending = 0;  // bits not yet written, < 6 between two bytes
  for (const char byte : bytes) {
    bits = (bits << 8U) | static_cast<unsigned char>(byte);
    pending += 8;
    while (pending >= 6) {
      pending -= 6;
      text += kStandard[(bits >> pending) & 63U];
    }
  }
  if (pending > 0) text += kStandard[(bits << (6 - pending)) & 63U];
  while (text.size() % 4 != 0) text += '=';
  return text;
}

}  // namespace base
