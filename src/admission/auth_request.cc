#include "admission/auth_request.h"

#include <string_view>

#include "config/setters.h"
#include "script/variables.h"

namespace admission {
namespace {

using config::Binding;

void set_path(Binding& binding) {
  const std::string& path = binding.argument(0);
  binding.options<AuthRequestOptions>().path.set(path == "off" ? std::string() : path,
                                                 binding.where());
}

void add_set(Binding& binding) {
  if (!binding.argument(0).starts_with('$')) {
    return binding.error_at(0, "invalid variable name \"" + binding.argument(0) + "\"",
                            "auth_request_set $NAME VALUE;");
  }
  binding.options<AuthRequestOptions>().sets.append(
      AuthRequestOptions::Set{.name = binding.word(0), .value = binding.word(1)}, binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "auth_request",
     .contexts = config::kHttpServerLocation,
     .syntax = "PATH | off",
     .default_text = "off",
     .documentation =
         "Asks PATH by a subrequest: 2xx lets the request pass, 401 and 403 refuse it.",
     .set = set_path},
    {.name = "auth_request_set",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes(2),
     .repeat = config::Repeat::repeatable,
     .syntax = "$VARIABLE VALUE",
     .documentation = "Gives a variable a value of the answered subrequest's.",
     .set = add_set},
};

}  // namespace

const config::Feature kAuthRequestFeature{"auth_request", kDirectives,
                                          config::inherit_options<AuthRequestOptions>};

void provision_auth_request(config::Level& level, script::Variables& variables,
                            config::Diagnostics& diagnostics) {
  const auto& options = level.get<AuthRequestOptions>();
  const config::Level* parent = level.parent();
  if (parent != nullptr && parent->find<AuthRequestPlan>() != nullptr &&
      parent->find<AuthRequestOptions>() == &options) {
    return level.share_from<AuthRequestPlan>(*parent);
  }
  auto& plan = level.options<AuthRequestPlan>();
  plan.path = *options.path;
  for (const AuthRequestOptions::Set& set : *options.sets) {
    const std::string_view name = std::string_view(set.name.text).substr(1);
    const auto slot = variables.declare(name, set.name.at, diagnostics);
    auto value = script::Value::compile(set.value, variables, diagnostics);
    if (slot) plan.sets.push_back({*slot, std::move(value)});
  }
}

const AuthRequestPlan* auth_request_of(const config::Level& level) noexcept {
  const auto* plan = level.find<AuthRequestPlan>();
  return plan == nullptr || plan->path.empty() ? nullptr : plan;
}

void set_from_answer(const AuthRequestPlan& plan, exchange::Exchange& answered,
                     exchange::Exchange& parent) {
  for (const AuthRequestPlan::Set& set : plan.sets) {
    parent.named_captures[set.slot] = parent.arena.copy(set.value.evaluate(answered));
  }
}

}  // namespace admission
