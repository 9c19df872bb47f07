#include "filter/filter_plan.h"

#include <utility>

namespace filter {

void provision_filters(config::Level& level, script::Variables& variables,
                       config::Diagnostics& /*diagnostics*/) {
  FilterPlan plan;
  plan.addition = plan_addition(level);
  plan.ssi = plan_ssi(level, variables);
  if (plan.any()) level.options<FilterPlan>() = plan;
}

}  // namespace filter
