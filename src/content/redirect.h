// Redirects of our own: where their Location leads.
#pragma once

#include <string_view>

#include "exchange/exchange.h"

namespace content {

/// nginx's absolute_redirect, with server_name_in_redirect off and port_in_redirect on: "/path"
/// becomes scheme://$host[:port]/path, other texts stay. The port is the one that the client
/// connected to, shown when it is not the scheme's. Without any host the path stays as it is (RFC
/// 9110 §10.2.2 allows it).
[[nodiscard]] std::string_view absolute_location(std::string_view location,
                                                 exchange::Exchange& exchange);

}  // namespace content
