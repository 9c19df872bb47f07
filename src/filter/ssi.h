// nginx's SSI module: what its directives say. The commands are found by SsiParser and run by
// `proxy` (ssi_filter.h), since an include is a subrequest.
#pragma once

#include <cstdint>
#include <tuple>

#include "config/directive.h"
#include "exchange/exchange.h"
#include "filter/mime_types.h"
#include "script/variables.h"

namespace filter {

struct SsiOptions {
  config::Setting<bool> on{false};
  config::Setting<bool> silent_errors{false};
  config::Setting<bool> last_modified{false};
  config::Setting<std::uint64_t> value_length{256};
  config::Setting<std::uint64_t> included_size{8 * 1024};  // subrequest_output_buffer_size
  config::Setting<MimeTypes> types{MimeTypes{.all = false, .types = {"text/html"}}};
  auto settings(this auto& self) {
    return std::tie(self.on, self.silent_errors, self.last_modified, self.value_length,
                    self.included_size, self.types);
  }
};

struct SsiPlan {
  const SsiOptions* options = nullptr;  // null: off
  const script::Variables* variables = nullptr;  // pages name variables that no directive does
};

extern const config::Feature kSsiFeature;

[[nodiscard]] SsiPlan plan_ssi(const config::Level& level, const script::Variables& variables);

/// Whether the filter takes part: the type, and not an empty body.
[[nodiscard]] bool is_for_ssi(const SsiOptions& options, const exchange::Exchange& exchange);
/// What is not true of a composed page any more. A part's head is nobody's, but does no harm.
void change_head_for_ssi(const SsiOptions& options, exchange::Exchange& exchange);

}  // namespace filter
