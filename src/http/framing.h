// What every codec asks of the fields that say where a body ends.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/fields.h"
#include "http/refusal.h"

namespace http {

/// A value of Content-Length: 1*DIGIT, below 2^63 (RFC 9110 §8.6). Lists of equal numbers, which it
/// lets recipients repair, are refused.
[[nodiscard]] Refusal parse_content_length(std::string_view text, std::uint64_t& length) noexcept;

/// Backends that fold '_' and '.' into '-' would take it for Content-Length or Transfer-Encoding.
[[nodiscard]] bool is_framing_alias(const Field& field) noexcept;

}  // namespace http
