// Base64 (RFC 4648 §4, §5), as nginx reads it: padding may be missing, and what follows it does not
// count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace base {

/// standard: '+' and '/'; url: '-' and '_'.
enum class Base64 : std::uint8_t { standard, url };

/// The most bytes that such a text stands for.
[[nodiscard]] constexpr std::size_t base64_decoded_size(std::size_t text_size) noexcept {
  return text_size / 4 * 3 + 2;
}

/// Bytes put into `into`. Nothing for other characters, for a length that no text has, and where
/// `into` is too small.
[[nodiscard]] std::optional<std::size_t> decode_base64(std::string_view text, Base64 alphabet,
                                                       std::span<char> into) noexcept;

/// In the standard alphabet, padded.
[[nodiscard]] std::string encode_base64(std::string_view bytes);

}  // namespace base
