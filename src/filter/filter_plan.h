// FilterPlan: the body filters that a level's directives ask for, compiled once. A level that asks
// for none has no plan, so that to look for one is all that filters cost there.
#pragma once

#include <memory>

#include "config/diagnostics.h"
#include "config/level.h"
#include "filter/addition.h"
#include "filter/ssi.h"
#include "script/variables.h"

namespace filter {

struct FilterPlan {
  const AdditionOptions* addition = nullptr;
  SsiPlan ssi;

  [[nodiscard]] bool any() const noexcept { return addition != nullptr || ssi.options != nullptr; }
};

/// After inheritance, for each http, server and location level.
void provision_filters(config::Level& level, script::Variables& variables,
                       config::Diagnostics& diagnostics);

}  // namespace filter
