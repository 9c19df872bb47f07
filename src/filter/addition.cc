#include "filter/addition.h"

#include "config/setters.h"
#include "filter/head_changes.h"

namespace filter {
namespace {

using config::kHttpServerLocation;
using O = AdditionOptions;

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "add_before_body",
     .contexts = kHttpServerLocation,
     .syntax = "PATH",
     .documentation = "Puts the response of a subrequest for PATH before a response's body.",
     .set = config::set_text<&O::before>},
    {.name = "add_after_body",
     .contexts = kHttpServerLocation,
     .syntax = "PATH",
     .documentation = "The same behind it; \"\" ends what was inherited.",
     .set = config::set_text<&O::after>},
    {.name = "addition_types",
     .contexts = kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "TYPE...",
     .default_text = "text/html",
     .documentation = "The types of responses that texts are added to, beside text/html.",
     .set = set_types<&O::types>},
};

}  // namespace

const config::Feature kAdditionFeature{"addition", kDirectives,
                                       config::inherit_options<AdditionOptions>};

const AdditionOptions* plan_addition(const config::Level& level) {
  const auto& options = level.get<AdditionOptions>();
  return options.before->empty() && options.after->empty() ? nullptr : &options;
}

bool is_for_addition(const AdditionOptions& options, const exchange::Exchange& exchange) {
  return exchange.main == nullptr && exchange.response.status == 200 &&
         options.types->match(content_type_of(exchange).type);
}

void change_head_for_addition(exchange::Exchange& exchange) {
  forget_length(exchange);
  weaken_etag(exchange);
}

}  // namespace filter
