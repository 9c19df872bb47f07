#include "proxy/response_filters.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "filter/body_filter.h"
#include "filter/filter_plan.h"
#include "filter/head_changes.h"
#include "proxy/filtering_responder.h"

namespace proxy {
namespace {

using filter::BodyFilters;
using filter::FilterPlan;

// A filter had to give up: the client must see that something is missing.
void filter_failed(Context& context, const base::Error& error) {
  context.close_after = true;
  log(context, observe::Level::error,
      base::describe(error) + " while filtering the response to the client");
  if (context.direct.head_sent()) context.cut_off();
}

struct Stage {
  /// Whether the filter would give the body other bytes.
  bool (*changes_body)(const FilterPlan& plan, const Context& context);
  /// Changes the head of a response that the filter takes part in, and adds it. False: too many
  /// fields.
  bool (*start)(const FilterPlan& plan, Context& context, BodyFilters& filters);
};

// In the order that a response passes them.
constexpr std::array<Stage, 0> kStages{};

}  // namespace

bool start_filters(Context& context, http::Then between) {
  const auto* plan = context.level->find<FilterPlan>();
  if (plan == nullptr || context.exchange.response.status < 200) return true;
  BodyFilters filters;
  for (const Stage& stage : kStages) {
    if (!stage.start(*plan, context, filters)) return false;
  }
  if (filters.empty() || !filter::has_body(context.exchange)) return true;
  context.filtered = std::make_unique<FilteringResponder>(
      context.direct, context.worker.loop, std::move(filters), context.send_pace(), between,
      [&context](const base::Error& error) { filter_failed(context, error); });
  return true;
}

bool filters_apply(const Context& context) {
  const auto* plan = context.level->find<FilterPlan>();
  return plan != nullptr && std::ranges::any_of(kStages, [&](const Stage& stage) {
           return stage.changes_body(*plan, context);
         });
}

}  // namespace proxy
