#pragma once

#include <string_view>

namespace http {

/// nginx's "msie6": Internet Explorer 4 to 6, but not the last one's second service pack.
[[nodiscard]] bool is_msie6(std::string_view user_agent) noexcept;

}  // namespace http
