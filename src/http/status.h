// Status codes: nginx's words for them, which scripts and people know by sight.
#pragma once

#include <cstdint>
#include <string_view>

namespace http {

/// "Not Found"; empty for a code without a phrase.
[[nodiscard]] std::string_view reason_phrase(unsigned status) noexcept;

/// The code that goes over the wire: nginx's internal 494, 495, 496 and 497 are shown as 400.
[[nodiscard]] unsigned wire_status(unsigned status) noexcept;

/// The heading of a generated error page: "404 Not Found", "400 Request Header Or Cookie Too Large"
/// for 494. Empty for a code without a page.
[[nodiscard]] std::string_view error_title(unsigned status) noexcept;

/// 1xx, 204 and 304 never have a body (RFC 9112 §6.3).
[[nodiscard]] constexpr bool status_has_no_body(unsigned status) noexcept {
  return status < 200 || status == 204 || status == 304;
}

}  // namespace http
