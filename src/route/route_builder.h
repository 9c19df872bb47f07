// From levels to route tables: the locations of a server block and of the blocks inside them.
#pragma once

#include "config/level.h"
#include "route/route_options.h"
#include "route/route_table.h"
#include "script/variables.h"

namespace route {

/// `redirects_slash(level)`: does that location redirect its name without the last slash?
/// Duplicates and malformed patterns are reported.
[[nodiscard]] RouteTable build_routes(const config::Level& server, script::Variables& variables,
                                      config::Diagnostics& diagnostics,
                                      bool (*redirects_slash)(const config::Level& location));

}  // namespace route
