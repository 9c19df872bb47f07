#include "proxy/plan.h"
#include "proxy/backend_http2_options.h"

#include <algorithm>

#include "base/text.h"
#include "proxy/grpc_options.h"
#include "route/route_options.h"

namespace proxy {

using config::Position;
using config::Word;
using http::FieldName;

void NameSet::add(std::string_view name) {
  const FieldName id = http::intern_folded(name);
  if (id != FieldName::other) {
    known_.set(static_cast<std::size_t>(id));
  } else {
    others_.emplace_back(name);
  }
}

void NameSet::remove(std::string_view name) {
  known_.reset(static_cast<std::size_t>(http::intern_folded(name)));
  std::erase_if(others_, [&](const std::string& other) { return http::equal_folded(other, name); });
}

bool NameSet::has(FieldName id, std::string_view name) const noexcept {
  // A name of the table in its own spelling: the usual case, one bit.
  if (id != FieldName::other) return known_.test(static_cast<std::size_t>(id));
  const FieldName folded = http::intern_folded(name);
  if (folded != FieldName::other) return known_.test(static_cast<std::size_t>(folded));
  return std::ranges::any_of(
      others_, [&](const std::string& other) { return http::equal_folded(other, name); });
}

namespace {

// "grpc://HOST", "grpcs://HOST" or "HOST"; never with a path.
std::expected<PassTarget, std::string> parse_grpc_target(std::string_view url) {
  PassTarget target;
  if (base::starts_with_ignoring_case(url, "grpc://")) {
    url.remove_prefix(7);
  } else if (base::starts_with_ignoring_case(url, "grpcs://")) {
    target.https = true;
    url.remove_prefix(8);
  }
  if (url.empty()) return std::unexpected("no host");
  if (!url.starts_with("unix:") && url.find_first_of("/?") != std::string_view::npos) {
    return std::unexpected("invalid host");
  }
  target.authority = url;
  return target;
}

}  // namespace

std::expected<PassTarget, std::string> parse_pass_target(std::string_view url,
                                                         PassOptions::Protocol protocol) {
  if (protocol == PassOptions::Protocol::grpc) return parse_grpc_target(url);
  PassTarget target;
  if (base::starts_with_ignoring_case(url, "http://")) {
    url.remove_prefix(7);
  } else if (base::starts_with_ignoring_case(url, "https://")) {
    target.https = true;
    url.remove_prefix(8);
  } else {
    return std::unexpected("invalid URL prefix");
  }
  std::size_t end = 0;
  if (url.starts_with("unix:")) {
    // "unix:/path", or "unix:/path:/uri".
    end = std::min(url.find(':', 5), url.size());
    target.authority = url.substr(0, end);
    url.remove_prefix(std::min(end + 1, url.size()));
  } else {
    end = std::min(url.find_first_of("/?"), url.size());
    target.authority = url.substr(0, end);
    url.remove_prefix(end);
  }
  if (target.authority.empty()) return std::unexpected("no host");
  if (!url.empty()) target.uri = url.starts_with('/') ? std::string(url) : "/" + std::string(url);
  return target;
}

std::optional<base::Address> parse_local_address(std::string_view text) {
  if (auto alone = base::Address::from_ip(text, 0)) return alone;
  return base::Address::from_ip_and_port(text);
}

void PlanMaker::provision(config::Level& level) {
  const auto* pass = level.find<PassOptions>();
  if (pass == nullptr || !pass->is_set) {
    // An `if` or a limit_except without a proxy_pass of its own forwards as its location does.
    if (level.context() != config::Context::location &&
        level.parent()->find<ForwardPlan>() != nullptr) {
      level.share_from<ForwardPlan>(*level.parent());
    }
    return;
  }
  const bool grpc = pass->protocol == PassOptions::Protocol::grpc;
  const ForwardOptions& options = grpc ? level.get<GrpcOptions>() : level.get<ForwardOptions>();
  auto& plan = level.options<ForwardPlan>();
  plan.options = &options;
  plan.protocol = pass->protocol;
  plan.speaks_grpc = grpc && !flags_.compat_nginx;
  if (config::Level* server = level.enclosing(config::Context::server); grpc && server != nullptr) {
    static_cast<void>(server->options<ServesCalls>());
  }
  plan.as_received = flags_.compat_nginx;
  plan.pass_trailers = options.pass_trailers.value_or(grpc || !flags_.compat_nginx);
  plan.keep_alive = upstream::default_keep_alive(flags_.compat_nginx);
  plan.http2_terms = level.get<BackendHttp2Options>().terms();
  plan_target(level, *pass, plan);
  plan_headers(options, plan);
  if (!grpc) plan_redirects(level, options, plan);
  plan.cookies = plan_cookies(options, variables_, diagnostics_);
  if (options.method.is_set) plan.method = compile(*options.method);
  if (options.set_body.is_set) plan.set_body = compile(*options.set_body);
  if (options.bind->address) plan.bind = compile(*options.bind->address);
  plan.hints_always = !flags_.compat_nginx;
  for (const Word& condition : *options.early_hints) plan.early_hints.push_back(compile(condition));
  if (*options.limit_rate) plan.limit_rate = compile(**options.limit_rate);
  plan_tls(grpc ? level.get<GrpcTlsOptions>() : level.get<BackendTlsOptions>(), *pass, plan);
}

void PlanMaker::plan_target(const config::Level& level, const PassOptions& pass,
                            ForwardPlan& plan) {
  const Position at = pass.target.at;
  if (script::has_variables(pass.target.text)) {
    plan.dynamic = compile(pass.target);
    plan.lookup = upstream::lookup_of(level);
    for (const auto& [name, group] : groups_) use(group);  // any of them may be named
    return;
  }
  const bool grpc = pass.protocol == PassOptions::Protocol::grpc;
  auto target = parse_pass_target(pass.target.text, pass.protocol);
  if (!target) {
    return diagnostics_.error(
        at, target.error() + " in \"" + pass.target.text + "\"",
        grpc ? "grpc_pass takes HOST, grpc://HOST or grpcs://HOST, without a path"
             : "proxy_pass takes http://HOST or https://HOST");
  }
  plan.target = *std::move(target);
  const auto* location = level.find<route::LocationOptions>();
  if (plan.target.uri) {
    if (location == nullptr || location->kind == route::Location::Kind::regex ||
        location->kind == route::Location::Kind::named) {
      diagnostics_.error(at,
                         "\"proxy_pass\" cannot have URI part in location given by regular "
                         "expression, or inside named location, or inside \"if\" statement, or "
                         "inside \"limit_except\" block",
                         "leave out \"" + *plan.target.uri + "\"");
    } else {
      plan.replaced_prefix = location->name.size();
    }
  }
  const std::uint16_t scheme_port = plan.target.https ? 443 : 80;
  plan.port = scheme_port;
  const auto group = groups_.find(base::lower(plan.target.authority));
  if (group != groups_.end()) {
    plan.cluster = group->second;
    const BackendTlsOptions& tls =
        grpc ? level.get<GrpcTlsOptions>() : level.get<BackendTlsOptions>();
    if (plan.target.https && !pass.target.text.empty() && tls.verify.value && !tls.name.is_set &&
        !flags_.compat_nginx) {
      diagnostics_.warning(
          at,
          "backends of \"" + plan.target.authority + "\" must show a certificate for the name \"" +
              plan.target.authority + "\"",
          "set " + std::string(tls.prefix) + "ssl_name to the name in their certificates");
    }
  } else {
    auto endpoint = upstream::parse_endpoint(plan.target.authority);
    if (!endpoint) {
      return diagnostics_.error(
          at, std::string(endpoint.error()) + " in upstream \"" + plan.target.authority + "\"");
    }
    if (endpoint->port) plan.port = *endpoint->port;
    // The system looks up what is written (resolver_directives.h).
    const upstream::NameLookup lookup{.dns = {}, .timeout = upstream::lookup_of(level).timeout};
    auto& shared =
        implicit_[(plan.target.https ? "s:" : "p:") + std::to_string(lookup.timeout.count()) + ":" +
                  base::lower(plan.target.authority)];
    if (shared == nullptr) {
      if (!endpoint->address) {
        names_.push_back({.host = endpoint->host,
                          .written = endpoint->name,
                          .at = at,
                          .similar = similar_group(plan.target.authority)});
      }
      shared = std::make_shared<const upstream::ClusterSpec>(
          upstream::implicit_cluster(*std::move(endpoint), scheme_port, plan.keep_alive, lookup));
    }
    plan.cluster = shared;
  }
  use(plan.cluster);
}

std::string PlanMaker::similar_group(std::string_view name) const {
  constexpr std::size_t kLongestName = 64;
  if (name.size() > kLongestName) return {};
  std::vector<std::string_view> known;
  for (const auto& [group, spec] : groups_) known.push_back(group);
  return std::string(base::nearest(base::lower(name), known).value_or(""));
}

void PlanMaker::use(const std::shared_ptr<const upstream::ClusterSpec>& cluster) {
  if (std::ranges::find(clusters_, cluster) == clusters_.end()) clusters_.push_back(cluster);
}

void PlanMaker::plan_headers(const ForwardOptions& options, ForwardPlan& plan) {
  for (const HeaderSetting& setting : *options.set_headers) {
    const FieldName id = http::intern(setting.name);
    if (id == FieldName::content_length || id == FieldName::transfer_encoding) {
      if (!setting.value.text.empty()) {
        diagnostics_.warning(setting.value.at, "\"" + setting.name + "\" is always the proxy's own",
                             "remove the line: framing can't be set");
      }
      continue;
    }
    plan.set_headers.push_back({id, setting.name, compile(setting.value)});
    plan.set_names.add(setting.name);
    plan.sets_connection |= id == FieldName::connection || id == FieldName::upgrade;
  }
  if (!plan.set_names.has(FieldName::host, "Host")) {
    const Word host{.text = "$proxy_host", .at = {}, .quoted = false};
    plan.set_headers.insert(plan.set_headers.begin(), {FieldName::host, "Host", compile(host)});
    plan.set_names.add("Host");
  }
  if (!plan.is_grpc()) plan.hidden.add("X-Pad");
  for (const std::string_view name :
       {"Date", "Server", "X-Accel-Expires", "X-Accel-Redirect", "X-Accel-Limit-Rate",
        "X-Accel-Buffering", "X-Accel-Charset"}) {
    plan.hidden.add(name);
  }
  for (const std::string& name : *options.hide_headers) plan.hidden.add(name);
  for (const std::string& name : *options.pass_headers) plan.hidden.remove(name);
}

void PlanMaker::plan_redirects(const config::Level& level, const ForwardOptions& options,
                               ForwardPlan& plan) {
  std::vector<RedirectRule> rules = *options.redirects;
  if (rules.empty()) rules.emplace_back();
  for (const RedirectRule& rule : rules) {
    if (rule.kind == RedirectRule::Kind::off) return plan.redirects.clear();
    RedirectPlan redirect;
    if (rule.kind == RedirectRule::Kind::use_default) {
      // The target's URL becomes the location's path; without a URI part, the root.
      if (plan.dynamic) continue;
      const auto* location = level.find<route::LocationOptions>();
      const bool plain = location != nullptr && location->kind != route::Location::Kind::regex &&
                         location->kind != route::Location::Kind::named;
      redirect.from = script::Value::literal((plan.target.https ? "https://" : "http://") +
                                             plan.target.authority + plan.target.uri.value_or("/"));
      redirect.to = script::Value::literal(plan.target.uri && plain ? location->name : "/");
    } else if (rule.kind == RedirectRule::Kind::regex) {
      redirect.pattern = script::Pattern::compile(
          rule.from.text,
          rule.ignore_case ? base::Regex::Case::insensitive : base::Regex::Case::sensitive,
          rule.from.at, variables_, diagnostics_);
      redirect.to = compile(rule.to);
    } else {
      redirect.from = compile(rule.from);
      redirect.to = compile(rule.to);
    }
    plan.redirects.push_back(std::move(redirect));
  }
}

}  // namespace proxy
