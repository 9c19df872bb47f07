// The pages for errors and redirects that the proxy makes itself: nginx's, with our name.
#pragma once

#include <string_view>

namespace content {

/// "sallyport", or "sallyport/0.1.0" with server_tokens on. Static.
[[nodiscard]] std::string_view server_text(bool with_version) noexcept;

/// The page for an error or a redirect, empty for statuses without one. All pages are made when the
/// first is asked for; they live as long as the process, and any thread may ask.
[[nodiscard]] std::string_view error_page(unsigned status, bool with_version);

}  // namespace content
