// What RFC 9113 §8.2 says of every field, in requests, responses and trailers: the names of the
// rules are for counters and logs.
#pragma once

#include <string_view>

#include "http/fields.h"

namespace http::h2 {

/// Empty, or the rule that the field breaks: its message is malformed. Not for pseudo-header
/// fields.
[[nodiscard]] std::string_view broken_rule(FieldName id, std::string_view name,
                                           std::string_view value) noexcept;
/// No control bytes, no white space at the ends (RFC 9113 §8.2.1).
[[nodiscard]] bool is_sound_value(std::string_view value) noexcept;

/// Connection, Proxy-Connection, Keep-Alive, Transfer-Encoding, Upgrade: never in HTTP/2 (§8.2.2).
[[nodiscard]] bool is_connection_specific(FieldName id) noexcept;

/// As HTTP/2 spells it: in lower case. Empty for `other`.
[[nodiscard]] std::string_view lower_text_of(FieldName id) noexcept;

/// A trailer section being received: into `fields`, whose arena takes the text.
class TrailerFields {
 public:
  TrailerFields(Fields& fields, std::size_t max_bytes, std::size_t max_fields) noexcept
      : fields_(fields), max_bytes_(max_bytes), max_fields_(max_fields) {}
  /// The views need only live for the call. Empty, or the rule that makes the message malformed.
  [[nodiscard]] std::string_view add(std::string_view name, std::string_view value);

 private:
  Fields& fields_;
  std::size_t max_bytes_;
  std::size_t max_fields_;
  std::size_t bytes_ = 0;
  std::size_t count_ = 0;
};

}  // namespace http::h2
