// Warnings about locations that no request can reach, since another location of the same block
// comes before them for every path. Only what is certain is told: most questions of this kind about
// regular expressions have no short answer. What "$" leaves open, a path that ends with a line
// feed, is passed over.
#pragma once

#include "config/diagnostics.h"
#include "config/level.h"

namespace route {

/// Among the locations that stand in `outer`, a server or a location; not in those inside them.
void warn_of_unreachable(const config::Level& outer, config::Diagnostics& diagnostics);

}  // namespace route
