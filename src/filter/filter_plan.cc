#include "filter/filter_plan.h"

#include <utility>

namespace filter {

void provision_filters(config::Level& level, script::Variables& variables,
                       config::Diagnostics& diagnostics) {
  const config::Level* parent = level.parent();
  const auto* above = parent != nullptr ? parent->find<FilterPlan>() : nullptr;
  FilterPlan plan;
  plan.acceptance = &level.get<GzipAcceptanceOptions>();
  const auto& gunzip = level.get<GunzipOptions>();
  if (*gunzip.on) plan.gunzip = &gunzip;
  const auto& gzip = level.get<GzipOptions>();
  if (*gzip.on) plan.gzip = &gzip;
  plan.gzip_static = *level.get<GzipStaticOptions>().mode;
  if (above != nullptr && above->sub != nullptr &&
      above->sub->options == &level.get<SubOptions>()) {
    plan.sub = above->sub;
  } else {
    plan.sub = plan_sub(level, variables, diagnostics);
  }
  if (above != nullptr && above->charset != nullptr &&
      above->charset->options == &level.get<CharsetOptions>()) {
    plan.charset = above->charset;
  } else {
    plan.charset = plan_charset(level, variables, diagnostics);
  }
  plan.addition = plan_addition(level);
  plan.ssi = plan_ssi(level, variables);
  if (plan.any()) level.options<FilterPlan>() = std::move(plan);
}

}  // namespace filter
