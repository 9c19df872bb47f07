// Field lines (RFC 9112 §5) and what they say about framing and the connection: shared by requests,
// responses and trailers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/fields.h"
#include "http/h1/refusal.h"
#include "http/method.h"

namespace http::h1 {

/// One line without CRLF, not empty, and free of control bytes but HTAB.
[[nodiscard]] Refusal parse_field_line(std::string_view line, Field& field) noexcept;

/// All lines up to the empty one: the part of a scanned head behind its first line.
[[nodiscard]] Refusal parse_field_lines(std::string_view section, Fields& fields);

struct LengthFields {
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
};
/// Content-Length and Transfer-Encoding, refusing all that two recipients could read differently
/// (RFC 9112 §6.1, §6.2; threats.md #5).
[[nodiscard]] Refusal read_length_fields(const Fields& fields, Version version,
                                         LengthFields& lengths) noexcept;

struct ConnectionOptions {
  bool keep_alive = false;  // the verdict: the version's default and what the field says
  bool upgrade = false;  // there is an Upgrade field, and Connection names it
};
/// RFC 9112 §9.3, RFC 9110 §7.8.
[[nodiscard]] ConnectionOptions read_connection(const Fields& fields, Version version) noexcept;

/// "HTTP/1.1".
[[nodiscard]] Refusal parse_version(std::string_view text, Version& version) noexcept;

}  // namespace http::h1
