#include "http/refusal.h"
#include "proxy/worker.h"

namespace proxy {

RefusalCounters add_refusal_counters(observe::CounterLayout& layout) {
  observe::CounterFamily family{
      .name = "requests_refused_by_rule",
      .help = "requests that were refused, by the rule that they broke",
      .label = "rule",
      .size = http::kRefusalCount,
      .label_of = [](std::size_t rule) { return http::name_of(static_cast<http::Refusal>(rule)); }};
  RefusalCounters counters;
  counters.requests = layout.add(family);
  family.name = "upstream_refused_by_rule";
  family.help = "responses that were refused, by the rule that they broke";
  counters.responses = layout.add(family);
  return counters;
}

observe::Counter counter_for(http::Refusal refusal) noexcept {
  using http::Refusal;
  using observe::Counter;
  switch (refusal) {
    case Refusal::uri_too_long: return Counter::limit_uri_size;
    case Refusal::line_too_long:
    case Refusal::head_too_large: return Counter::limit_header_size;
    case Refusal::too_many_fields: return Counter::limit_header_count;
    case Refusal::chunk_extension_too_long: return Counter::limit_chunk_extensions;
    case Refusal::trailer_too_large:
    case Refusal::trailer_too_many_fields: return Counter::limit_trailers;
    default: return Counter::requests_refused;
  }
}

void count_upstream_limit(observe::Counters& counters, http::Refusal refusal) noexcept {
  using observe::Counter;
  switch (const Counter counter = counter_for(refusal)) {
    case Counter::requests_refused: return;
    case Counter::limit_uri_size:
    case Counter::limit_header_size: return counters.add(Counter::limit_upstream_header_size);
    case Counter::limit_header_count: return counters.add(Counter::limit_upstream_header_count);
    default: counters.add(counter);
  }
}

}  // namespace proxy
