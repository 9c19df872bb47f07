// `return CODE [TEXT | URL]; return URL;`: an answer without any backend. A block's own, never
// inherited.
#pragma once

#include <string_view>

#include "config/directive.h"
#include "exchange/exchange.h"
#include "script/value.h"

namespace content {

/// As written.
struct ReturnOptions {
  bool is_set = false;
  unsigned status = 0;
  bool has_text = false;
  bool is_redirect = false;
  config::Word text;
};

struct ReturnPlan {
  unsigned status = 0;
  bool is_redirect = false;  // `text` is a URL
  bool has_text = false;     // `text` is the body
  script::Value text;
};

extern const config::Feature kReturnFeature;

/// Compiles the level's `return`, if it has one.
void provision_return(config::Level& level, script::Variables& variables,
                      config::Diagnostics& diagnostics);

/// Null if the level has none.
[[nodiscard]] inline const ReturnPlan* find_return(const config::Level& level) noexcept {
  return level.find<ReturnPlan>();
}

/// nginx's absolute_redirect, with server_name_in_redirect off and port_in_redirect on: "/path"
/// becomes scheme://$host[:port]/path, other texts stay. The port is the one that the client
/// connected to, shown when it is not the scheme's. Without any host the path stays as it is (RFC
/// 9110 §10.2.2 allows it).
[[nodiscard]] std::string_view absolute_location(std::string_view location,
                                                 exchange::Exchange& exchange);

}  // namespace content
