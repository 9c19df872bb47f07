#include "http/h1/refusal.h"
#include "proxy/worker.h"

namespace proxy {

RefusalCounters add_refusal_counters(observe::CounterLayout& layout) {
  observe::CounterFamily family{.name = "requests_refused_by_rule",
                                .help = "requests that were refused, by the rule that they broke",
                                .label = "rule",
                                .size = http::h1::kRefusalCount,
                                .label_of = [](std::size_t rule) {
                                  return http::h1::name_of(static_cast<http::h1::Refusal>(rule));
                                }};
  RefusalCounters counters;
  counters.requests = layout.add(family);
  family.name = "upstream_refused_by_rule";
  family.help = "responses that were refused, by the rule that they broke";
  counters.responses = layout.add(family);
  return counters;
}

}  // namespace proxy
