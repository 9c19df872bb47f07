// How our own redirects name the server: nginx's absolute_redirect, port_in_redirect and
// server_name_in_redirect.
#pragma once

#include <string_view>
#include <tuple>

#include "config/directive.h"
#include "exchange/exchange.h"

namespace content {

struct RedirectOptions {
  config::Setting<bool> absolute{true};
  config::Setting<bool> with_port{true};
  config::Setting<bool> with_server_name{false};

  auto settings(this auto& self) {
    return std::tie(self.absolute, self.with_port, self.with_server_name);
  }
};

extern const config::Feature kRedirectFeature;

/// "/path" becomes scheme://host[:port]/path, other texts stay. The host is $host, or the server's
/// first name; the port is the one that the client connected to, shown when it is not the scheme's.
/// Without any host, or with `absolute_redirect off`, the path stays as it is (RFC 9110 §10.2.2
/// allows it).
[[nodiscard]] std::string_view absolute_location(std::string_view location,
                                                 exchange::Exchange& exchange,
                                                 const RedirectOptions& options);

}  // namespace content
