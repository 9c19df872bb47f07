#include "filter/ssi.h"

#include "config/setters.h"
#include "filter/head_changes.h"

namespace filter {
namespace {

using config::kHttpServerLocation;
using O = SsiOptions;

void check_flag(config::Binding& binding) { static_cast<void>(config::read_flag(binding, 0)); }
void check_size(config::Binding& binding) { static_cast<void>(config::read_size(binding, 0)); }

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "ssi",
     .contexts = kHttpServerLocation | config::Context::if_in_location,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether SSI commands in responses are run.",
     .set = config::set_flag<&O::on>},
    {.name = "ssi_silent_errors",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether a command that fails leaves no text in the page.",
     .set = config::set_flag<&O::silent_errors>},
    {.name = "ssi_last_modified",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether Last-Modified stays, and ETag as a weak one.",
     .set = config::set_flag<&O::last_modified>},
    {.name = "ssi_value_length",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "256",
     .documentation = "Longest value of a parameter of a command.",
     .set = config::set_size<&O::value_length>},
    {.name = "subrequest_output_buffer_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "8k",
     .documentation = "Most that an SSI include may put into a variable.",
     .set = config::set_size<&O::included_size>},
    {.name = "ssi_types",
     .contexts = kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "TYPE...",
     .default_text = "text/html",
     .documentation = "The types of responses whose commands are run, beside text/html.",
     .set = set_types<&O::types>},
    {.name = "ssi_min_file_chunk",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "1k",
     .documentation = "For nginx's files, without effect: composed pages are sent from memory.",
     .set = check_size},
    {.name = "ssi_ignore_recycled_buffers",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "For nginx's files, without effect: pieces of a body are not held here.",
     .set = check_flag},
};

}  // namespace

const config::Feature kSsiFeature{"ssi", kDirectives, config::inherit_options<SsiOptions>};

SsiPlan plan_ssi(const config::Level& level, const script::Variables& variables) {
  const auto& options = level.get<SsiOptions>();
  if (!*options.on) return {};
  return {.options = &options, .variables = &variables};
}

bool is_for_ssi(const SsiOptions& options, const exchange::Exchange& exchange) {
  return known_length(exchange).value_or(1) != 0 &&
         options.types->match(content_type_of(exchange).type);
}

void change_head_for_ssi(const SsiOptions& options, exchange::Exchange& exchange) {
  forget_length(exchange);
  if (*options.last_modified) {
    weaken_etag(exchange);
  } else {
    forget_validators(exchange);
  }
}

}  // namespace filter
