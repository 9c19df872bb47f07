// keepalive_disable: browsers of long ago that are confused by connections that are kept.
#pragma once

#include "http/head.h"
#include "proxy/client_options.h"

namespace proxy {

/// Whether the connection is to end with this request's response, going by User-Agent: Internet
/// Explorer up to 6 (without Windows XP's second service pack) after a POST, Safari on macOS
/// always.
[[nodiscard]] bool is_old_browser(const http::RequestHead& request, OldBrowsers disabled) noexcept;

}  // namespace proxy
