// nginx's addition module: what its directives say. The texts are responses of subrequests, which
// `proxy` makes (addition_filter.h).
#pragma once

#include <string>
#include <tuple>

#include "config/directive.h"
#include "exchange/exchange.h"
#include "filter/mime_types.h"

namespace filter {

struct AdditionOptions {
  config::Setting<std::string> before;  // paths; empty: none
  config::Setting<std::string> after;
  config::Setting<MimeTypes> types{MimeTypes{.all = false, .types = {"text/html"}}};
  auto settings(this auto& self) { return std::tie(self.before, self.after, self.types); }
};

extern const config::Feature kAdditionFeature;

/// Null: nothing is added there.
[[nodiscard]] const AdditionOptions* plan_addition(const config::Level& level);

/// Whether the filter takes part: 200, the type, and not in a part itself.
[[nodiscard]] bool is_for_addition(const AdditionOptions& options,
                                   const exchange::Exchange& exchange);
void change_head_for_addition(exchange::Exchange& exchange);

}  // namespace filter
