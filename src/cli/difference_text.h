// The difference of two configurations for people, at most 80 columns, and as JSON.
//
//   ~ upstream app
//       - server 10.0.0.2
//       + server 10.0.0.3
//   + location 0.0.0.0:443 example.com: /new
//       + proxy_pass http://app
//
// Items that changed in the same way are told together: a timeout that http sets is one change, not
// one for each of a thousand locations.
#pragma once

#include <string>

#include "snapshot/difference.h"

namespace cli {

[[nodiscard]] std::string render_difference(const snapshot::Difference& difference);
[[nodiscard]] std::string difference_json(const snapshot::Difference& difference);

}  // namespace cli
