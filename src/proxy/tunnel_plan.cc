// PlanMaker: tunnel_pass.
#include "base/text.h"
#include "proxy/plan.h"
#include "proxy/tunnel_pass.h"

namespace proxy {

void PlanMaker::provision_tunnel(config::Level& level) {
  const auto* pass = level.find<TunnelPassOptions>();
  if (pass == nullptr || !pass->is_set) {
    // An `if` or a limit_except has its location's.
    const config::Context context = level.context();
    if (context != config::Context::location && context != config::Context::server &&
        level.parent()->find<TunnelPlan>() != nullptr) {
      level.share_from<TunnelPlan>(*level.parent());
    }
    return;
  }
  const auto& options = level.get<TunnelOptions>();
  auto& plan = level.options<TunnelPlan>();
  plan.options = &options;
  plan.checks_target = !flags_.compat_nginx || options.allowed.is_set;
  plan.keep_alive = upstream::default_keep_alive(flags_.compat_nginx);
  if (options.bind->address) plan.bind = compile(*options.bind->address);
  plan_tunnel_target(level, *pass, plan);
}

void PlanMaker::plan_tunnel_target(const config::Level& level, const TunnelPassOptions& pass,
                                   TunnelPlan& plan) {
  const std::string& text = pass.target.text;
  plan.lookup = upstream::lookup_of(level);
  if (text.empty() || script::has_variables(text)) {
    if (!text.empty()) {
      plan.target = compile(pass.target);
      for (const auto& [name, group] : groups_) use(group);  // any of them may be named
    } else if (plan.checks_target && plan.options->allowed->empty()) {
      diagnostics_.warning(pass.at, "\"tunnel_pass\" opens no tunnel here",
                           "say by tunnel_allow which targets clients may choose");
    }
    return;
  }
  if (const auto group = groups_.find(base::lower(text)); group != groups_.end()) {
    plan.cluster = group->second;
    return use(plan.cluster);
  }
  auto endpoint = upstream::parse_endpoint(text);
  if (!endpoint) {
    return diagnostics_.error(pass.target.at,
                              std::string(endpoint.error()) + " in upstream \"" + text + "\"");
  }
  const bool is_unix = endpoint->address && endpoint->address->is_unix();
  if (!is_unix && !endpoint->port) {
    return diagnostics_.error(pass.target.at, "no port in upstream \"" + text + "\"",
                              "a tunnel has no port of its own: \"" + text + ":443\"");
  }
  // The system looks up what is written (resolver_directives.h).
  const upstream::NameLookup lookup{.dns = {}, .timeout = plan.lookup.timeout};
  auto& shared = implicit_["t:" + std::to_string(lookup.timeout.count()) + ":" + base::lower(text)];
  if (shared == nullptr) {
    if (!endpoint->address) {
      names_.push_back({.host = endpoint->host,
                        .written = endpoint->name,
                        .at = pass.target.at,
                        .similar = similar_group(text)});
    }
    shared = std::make_shared<const upstream::ClusterSpec>(
        upstream::implicit_cluster(*std::move(endpoint), 443, plan.keep_alive, lookup));
  }
  plan.cluster = shared;
  use(plan.cluster);
}

}  // namespace proxy
