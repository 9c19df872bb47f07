// HTTP dates (RFC 9110 §5.6.7).
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace http {

using HttpDate = std::array<char, 29>;

/// "Sun, 06 Nov 1994 08:49:37 GMT". Years 0 to 9999.
[[nodiscard]] HttpDate http_date(base::WallTime time) noexcept;
[[nodiscard]] inline std::string_view view(const HttpDate& date) noexcept {
  return {date.data(), date.size()};
}

/// All three forms that a recipient must accept: IMF-fixdate, RFC 850 (two-digit years below 70 are
/// 20xx), asctime. Nothing for any other text.
[[nodiscard]] std::optional<base::WallTime> parse_http_date(std::string_view text) noexcept;

}  // namespace http
