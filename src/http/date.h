// HTTP dates (RFC 9110 §5.6.7).
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

namespace http {

using HttpDate = std::array<char, 29>;

/// "Sun, 06 Nov 1994 08:49:37 GMT". A time before the year 0 or after 9999, which a file's may be,
/// is written as the nearest that four digits can say.
[[nodiscard]] HttpDate http_date(std::chrono::sys_seconds time) noexcept;
[[nodiscard]] inline std::string_view view(const HttpDate& date) noexcept {
  return {date.data(), date.size()};
}

/// All three forms that a recipient must accept: IMF-fixdate, RFC 850 (two-digit years below 70 are
/// 20xx), asctime. Nothing for any other text. In whole seconds: years that a client may write
/// (0 to 9999) have no room in a clock that counts nanoseconds.
[[nodiscard]] std::optional<std::chrono::sys_seconds> parse_http_date(
    std::string_view text) noexcept;

}  // namespace http
