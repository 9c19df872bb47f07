// The `listen` directive: addresses, ports and ranges of them, and the parameters that nginx
// documents for Linux, with nginx's errors.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "config/directive.h"

namespace route {

/// Reads one address of `listen`: "80", "*:80", "127.0.0.1", "[::]:80", "localhost:80",
/// "127.0.0.1:8000-8010", "unix:/path". The error is in nginx's words.
[[nodiscard]] std::expected<std::vector<base::Address>, std::string> parse_listen_address(
    std::string_view text);

/// The setter: adds to the server's ServerOptions::listens.
void add_listen(config::Binding& binding);

}  // namespace route
