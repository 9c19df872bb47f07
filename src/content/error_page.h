// The pages for errors and redirects that the proxy makes itself: nginx's, with our name.
#pragma once

#include <string_view>

namespace content {

/// "sallyport", or "sallyport/0.1.0" with server_tokens on. Static.
[[nodiscard]] std::string_view server_text(bool with_version) noexcept;

/// The page for a status, empty for statuses without one. Made once per thread, status and
/// `with_version`; lives as long as the thread.
[[nodiscard]] std::string_view error_page(unsigned status, bool with_version);

}  // namespace content
