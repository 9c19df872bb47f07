#include "proxy/response_filters.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "filter/body_filter.h"
#include "filter/filter_plan.h"
#include "filter/head_changes.h"
#include "proxy/addition_filter.h"
#include "proxy/filtering_responder.h"
#include "proxy/ssi_filter.h"

namespace proxy {
namespace {

using filter::BodyFilters;
using filter::FilterPlan;

// A filter had to give up: the client must see that something is missing.
void filter_failed(Context& context, const base::Error& error) {
  context.close_after = true;
  context.count(observe::Counter::filters_failed);
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

bool addition_changes_body(const FilterPlan& plan, const Context& context) {
  return plan.addition != nullptr && filter::is_for_addition(*plan.addition, context.exchange);
}
bool start_addition(const FilterPlan& plan, Context& context, BodyFilters& filters) {
  if (!addition_changes_body(plan, context)) return true;
  filter::change_head_for_addition(context.exchange);
  filters.push_back(std::make_unique<AdditionFilter>(context, *plan.addition));
  return true;
}

bool ssi_changes_body(const FilterPlan& plan, const Context& context) {
  return plan.ssi.options != nullptr && filter::is_for_ssi(*plan.ssi.options, context.exchange);
}
bool start_ssi(const FilterPlan& plan, Context& context, BodyFilters& filters) {
  if (!ssi_changes_body(plan, context)) return true;
  filter::change_head_for_ssi(*plan.ssi.options, context.exchange);
  filters.push_back(std::make_unique<SsiFilter>(context, plan.ssi));
  return true;
}

bool gunzip_changes_body(const FilterPlan& plan, const Context& context) {
  return plan.gunzip != nullptr && filter::is_for_gunzip(*plan.gunzip, context.exchange) &&
         !filter::may_send_gzip(*plan.acceptance, context.exchange);
}
bool start_gunzip(const FilterPlan& plan, Context& context, BodyFilters& filters) {
  exchange::Exchange& exchange = context.exchange;
  if (plan.gunzip == nullptr || !filter::is_for_gunzip(*plan.gunzip, exchange)) return true;
  exchange.gzip_vary = true;
  if (!filter::may_send_gzip(*plan.acceptance, exchange)) {
    filter::start_gunzip(*plan.gunzip, exchange, filters);
  }
  return true;
}

bool sub_changes_body(const FilterPlan& plan, const Context& context) {
  return plan.sub != nullptr && filter::is_for_sub(*plan.sub, context.exchange);
}
bool start_sub(const FilterPlan& plan, Context& context, BodyFilters& filters) {
  return !sub_changes_body(plan, context) ||
         filter::start_sub(*plan.sub, context.exchange, filters);
}

bool charset_changes_body(const FilterPlan& plan, const Context& context) {
  if (plan.charset == nullptr) return false;
  const auto choice = filter::choose_charset(*plan.charset, context.exchange);
  return choice.table != nullptr && choice.table->changes_length();
}
bool start_charset(const FilterPlan& plan, Context& context, BodyFilters& filters) {
  if (plan.charset == nullptr) return true;
  const auto choice = filter::choose_charset(*plan.charset, context.exchange);
  if (!choice.complaint.empty()) log(context, observe::Level::error, choice.complaint);
  return filter::start_charset(choice, context.exchange, filters);
}

bool gzip_changes_body(const FilterPlan& plan, const Context& context) {
  return plan.gzip != nullptr && filter::is_for_gzip(*plan.gzip, context.exchange) &&
         filter::may_send_gzip(*plan.acceptance, context.exchange);
}
bool start_gzip(const FilterPlan& plan, Context& context, BodyFilters& filters) {
  exchange::Exchange& exchange = context.exchange;
  if (plan.gzip == nullptr || !filter::is_for_gzip(*plan.gzip, exchange)) return true;
  exchange.gzip_vary = true;
  return !filter::may_send_gzip(*plan.acceptance, exchange) ||
         filter::start_gzip(*plan.gzip, exchange, filters);
}

// In the order that a response passes them.
constexpr std::array<Stage, 6> kStages{{{gunzip_changes_body, start_gunzip},
                                        {addition_changes_body, start_addition},
                                        {sub_changes_body, start_sub},
                                        {charset_changes_body, start_charset},
                                        {ssi_changes_body, start_ssi},
                                        {gzip_changes_body, start_gzip}}};

}  // namespace

bool start_filters(Context& context, http::Then between) {
  const auto* plan = context.level->find<FilterPlan>();
  if (plan == nullptr || context.exchange.response.status < 200 || context.head_only) return true;
  BodyFilters filters;
  for (const Stage& stage : kStages) {
    if (!stage.start(*plan, context, filters)) return false;
  }
  exchange::Exchange& exchange = context.exchange;
  if (exchange.gzip_vary && *plan->acceptance->vary &&
      !exchange.response.fields.add(http::FieldName::vary, "Accept-Encoding")) {
    return false;
  }
  if (filters.empty() || !filter::has_body(context.exchange)) return true;
  context.filtered = std::make_unique<FilteringResponder>(
      context.responder(), context.worker.loop, std::move(filters), context.send_pace(), between,
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
