#include "filter/filter_plan.h"

#include <utility>

namespace filter {

void provision_filters(config::Level& level, script::Variables& /*variables*/,
                       config::Diagnostics& /*diagnostics*/) {
  FilterPlan plan;
  if (FilterPlan::any()) level.options<FilterPlan>() = plan;
}

}  // namespace filter
