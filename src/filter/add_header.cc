#include "filter/add_header.h"

#include <algorithm>

namespace filter {
namespace {

using config::Binding;
using config::Context;
using http::FieldName;

void add_header(Binding& binding) {
  AddedHeader header{binding.argument(0), binding.word(1), false};
  if (binding.count() == 3) {
    if (binding.argument(2) != "always") {
      return binding.error_at(2, "invalid parameter \"" + binding.argument(2) + "\"",
                              "only \"always\" may stand here");
    }
    header.always = true;
  }
  binding.options<AddHeaderOptions>().headers.append(std::move(header), binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "add_header", .contexts = config::kHttpServerLocation,
     .arguments = config::takes(2, 3), .repeat = config::Repeat::repeatable,
     .syntax = "NAME VALUE [always]",
     .documentation = "A header of the response to the client; with \"always\" on errors, too.",
     .set = add_header},
};

bool is_usual_success(unsigned status) {
  constexpr unsigned kStatuses[] = {200, 201, 204, 206, 301, 302, 303, 304, 307, 308};
  return std::ranges::find(kStatuses, status) != std::end(kStatuses);
}

// Fields of which a response has one.
bool replaces(FieldName id) {
  return id == FieldName::last_modified || id == FieldName::etag;
}

}  // namespace

const config::Feature kAddHeaderFeature{"add_header", kDirectives,
                                        config::inherit_options<AddHeaderOptions>};

void provision_add_header(config::Level& level, script::Variables& variables,
                          config::Diagnostics& diagnostics) {
  const auto& options = level.get<AddHeaderOptions>();
  const config::Level* parent = level.parent();
  const bool inherited = parent != nullptr && parent->find<AddHeaderPlan>() != nullptr &&
                         parent->find<AddHeaderOptions>() == &options;
  if (inherited) return level.share_from<AddHeaderPlan>(*parent);
  auto& plan = level.options<AddHeaderPlan>();
  for (const AddedHeader& header : *options.headers) {
    plan.entries.push_back({http::intern(header.name), header.name,
                            script::Value::compile(header.value, variables, diagnostics),
                            header.always});
  }
}

bool apply_add_header(const config::Level& level, exchange::Exchange& exchange) {
  const auto* plan = level.find<AddHeaderPlan>();
  if (plan == nullptr || plan->entries.empty()) return true;
  http::ResponseHead& response = exchange.response;
  const bool usual = is_usual_success(response.status);
  for (const AddHeaderPlan::Entry& entry : plan->entries) {
    if (!usual && !entry.always) continue;
    const std::string_view value = entry.value.evaluate(exchange);
    if (replaces(entry.id)) {
      response.fields.remove(entry.id);
    }
    if (value.empty()) continue;
    if (!response.fields.add(http::Field{entry.id, entry.name, value})) return false;
  }
  return true;
}

}  // namespace filter
