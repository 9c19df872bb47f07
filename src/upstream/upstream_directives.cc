#include "upstream/upstream_directives.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/text.h"
#include "config/setters.h"
#include "config/values.h"

namespace upstream {

namespace {

using config::Binding;
using config::Context;
using std::chrono::milliseconds;

/// An `upstream` block's own; nothing in it is inherited.
struct GroupOptions {
  std::string name;
  std::vector<EndpointSpec> endpoints;
  std::vector<config::Position> endpoints_at;  // where each is written
  bool has_faulty_server = false;  // reported already
  config::Setting<std::size_t> keepalive;
  bool keepalive_local = false;
  config::Setting<milliseconds> keepalive_timeout;
  config::Setting<milliseconds> keepalive_time;
  config::Setting<std::uint64_t> keepalive_requests;
  std::optional<milliseconds> ping_interval;
  milliseconds ping_timeout{10'000};
};

/// Parameters of `server` that come later, with what to do meanwhile.
struct LaterParameter {
  std::string_view name;
  bool has_value;
  std::string_view hint;
};
constexpr std::array kLaterParameters{
    LaterParameter{"slow_start", true, "leave it out"},
    LaterParameter{"route", true, "leave it out: there are no sticky sessions yet"},
    LaterParameter{"drain", false, "use \"down\""},
};

void set_upstream(Binding& binding) {
  auto& group = binding.options<GroupOptions>();
  group.name = binding.argument(0);
  if (group.name.empty()) binding.error_at(0, "invalid host in upstream \"\"");
}

bool refuse_later_parameter(const Binding& binding, std::size_t i, std::string_view key,
                            bool has_value) {
  for (const LaterParameter& later : kLaterParameters) {
    if (later.name != key || later.has_value != has_value) continue;
    binding.error_at(i, "parameter \"" + binding.argument(i) + "\" is not supported yet",
                     std::string(later.hint));
    return true;
  }
  return false;
}

/// A number from `min` on; what is beyond 32 bits is no use to anybody.
std::optional<std::uint32_t> number_from(std::uint32_t min, std::string_view text) {
  const auto number = base::parse_number<std::uint32_t>(text);
  constexpr std::uint32_t kMax = std::numeric_limits<std::int32_t>::max();
  return number && *number >= min && *number <= kMax ? number : std::nullopt;
}

template <class T>
bool take(T& into, const std::optional<T>& value) {
  if (value) into = *value;
  return value.has_value();
}

/// False if argument `i` is no parameter, or has no valid value.
bool set_parameter(std::string_view key, const std::optional<std::string_view>& value,
                   EndpointSpec& endpoint) {
  if (!value) {
    if (key == "backup") return endpoint.backup = true;
    if (key == "down") return endpoint.down = true;
    if (key == "resolve") return endpoint.resolve = true;
    return false;
  }
  if (key == "weight") return take(endpoint.weight, number_from(1, *value));
  if (key == "max_conns") return take(endpoint.max_conns, number_from(0, *value));
  if (key == "max_fails") return take(endpoint.max_fails, number_from(0, *value));
  if (key == "fail_timeout") return take(endpoint.fail_timeout, config::parse_seconds(*value));
  return false;
}

bool read_parameters(const Binding& binding, EndpointSpec& endpoint,
                     std::optional<std::string>& service) {
  bool valid = true;
  for (std::size_t i = 1; i < binding.count(); ++i) {
    std::string_view key = binding.argument(i);
    std::optional<std::string_view> value;
    if (const std::size_t equals = key.find('='); equals != std::string_view::npos) {
      value = key.substr(equals + 1);
      key = key.substr(0, equals);
    }
    if (key == "service" && value) {
      service = *value;
      continue;
    }
    if (set_parameter(key, value, endpoint)) continue;
    valid = false;
    if (refuse_later_parameter(binding, i, key, value.has_value())) continue;
    constexpr std::string_view kKnown[] = {"weight", "max_fails", "fail_timeout", "max_conns",
                                           "backup", "down",      "resolve",      "service"};
    const auto meant = base::nearest(key, kKnown);
    binding.error_at(
        i, "invalid parameter \"" + binding.argument(i) + "\"",
        meant && *meant != key
            ? "did you mean \"" + std::string(*meant) + "\"?"
            : "weight=, max_fails=, fail_timeout=, max_conns=, backup, down, resolve and service= "
              "are known");
  }
  return valid;
}

/// From what was given to the name of the records; false if they can't be looked up.
bool complete_service(const Binding& binding, std::string_view given, EndpointSpec& endpoint) {
  const auto refuse = [&](const std::string& message, std::string hint) {
    binding.error_at(0, message + " in upstream \"" + binding.argument(0) + "\"", std::move(hint));
    return false;
  };
  if (given.empty()) return refuse("empty service name", "for example service=http");
  if (endpoint.host.empty()) {
    return refuse("service for an address", "SRV records belong to a host name");
  }
  if (endpoint.port) return refuse("service with a port", "SRV records bring their own ports");
  if (!endpoint.resolve) return refuse("service without \"resolve\"", "add \"resolve\"");
  endpoint.service = service_name(given, endpoint.host);
  endpoint.name.append(" service=").append(given);
  constexpr std::size_t kMaxName = 253;  // 255 bytes as it is sent, RFC 1035 §2.3.4
  const auto is_of_name = [](char c) { return c > ' ' && c != 0x7f && c != '/'; };
  if (endpoint.service.size() > kMaxName || !std::ranges::all_of(given, is_of_name)) {
    return refuse("invalid service name \"" + std::string(given) + "\"",
                  "for example service=http or service=_http._tcp");
  }
  return true;
}

void set_server(Binding& binding) {
  auto& group = binding.options<GroupOptions>();
  auto endpoint = parse_endpoint(binding.argument(0));
  if (!endpoint) {
    binding.error_at(
        0, std::string(endpoint.error()) + " in upstream \"" + binding.argument(0) + "\"");
  }
  EndpointSpec ignored;
  std::optional<std::string> service;
  if (!read_parameters(binding, endpoint ? *endpoint : ignored, service) || !endpoint) {
    group.has_faulty_server = true;
    return;
  }
  if (service && !complete_service(binding, *service, *endpoint)) {
    group.has_faulty_server = true;
    return;
  }
  group.endpoints.push_back(*std::move(endpoint));
  group.endpoints_at.push_back(binding.word(0).at);
}

void set_keepalive(Binding& binding) {
  auto& group = binding.options<GroupOptions>();
  if (binding.count() == 2) {
    if (binding.argument(1) != "local") {
      binding.error_at(1, "invalid parameter \"" + binding.argument(1) + "\"",
                       "\"local\" is the only one");
    }
    group.keepalive_local = true;
  }
  constexpr std::uint64_t kMax = 1'000'000;
  if (const auto number = config::read_number(binding, 0, 0, kMax)) {
    group.keepalive.set(static_cast<std::size_t>(*number), binding.where());
  }
}

void set_keepalive_ping(Binding& binding) {
  auto& group = binding.options<GroupOptions>();
  if (binding.argument(0) == "off") {
    if (binding.count() == 2) binding.error_at(1, "invalid parameter after \"off\"");
    return;
  }
  const auto interval = config::read_duration(binding, 0);
  if (!interval) return;
  if (interval->count() == 0) return binding.invalid(0, "a time above 0, or \"off\"");
  group.ping_interval = *interval;
  if (binding.count() < 2) return;
  if (const auto timeout = config::read_duration(binding, 1)) group.ping_timeout = *timeout;
}

constexpr std::array kDirectives{
    config::DirectiveSpec{.name = "upstream",
                          .contexts = Context::http,
                          .arguments = config::takes(1),
                          .block = config::opens(Context::upstream),
                          .repeat = config::Repeat::repeatable,
                          .syntax = "NAME { ... }",
                          .documentation = "Names a group of backends, for proxy_pass.",
                          .set = set_upstream},
    config::DirectiveSpec{
        .name = "server",
        .contexts = Context::upstream,
        .arguments = config::takes_at_least(1),
        .repeat = config::Repeat::repeatable,
        .syntax = "ADDRESS [weight=N] [max_fails=N] [fail_timeout=TIME] [max_conns=N] [backup] "
                  "[down] [resolve] [service=NAME]",
        .documentation = "A backend of the group: a name or an address, with port 80 if it has "
                         "none, or unix:PATH. Names are looked up again when their TTL has passed; "
                         "resolve: by the \"resolver\" instead of the system's. service: SRV "
                         "records name hosts, ports, weights and backups; NAME without a dot means "
                         "_NAME._tcp.",
        .set = set_server},
    config::DirectiveSpec{
        .name = "keepalive",
        .contexts = Context::upstream,
        .arguments = config::takes(1, 2),
        .syntax = "CONNECTIONS [local]",
        .default_text = "64",
        .documentation = "How many idle connections to the group each worker keeps; 0 keeps none. "
                         "local: only the location that opened a connection uses it again.",
        .set = set_keepalive},
    config::DirectiveSpec{.name = "keepalive_timeout",
                          .contexts = Context::upstream,
                          .arguments = config::takes(1),
                          .syntax = "TIME",
                          .default_text = "60s",
                          .documentation = "How long an idle connection to a backend stays open.",
                          .set = config::set_duration<&GroupOptions::keepalive_timeout>},
    config::DirectiveSpec{.name = "keepalive_time",
                          .contexts = Context::upstream,
                          .arguments = config::takes(1),
                          .syntax = "TIME",
                          .default_text = "1h",
                          .documentation = "How long a connection to a backend serves requests.",
                          .set = config::set_duration<&GroupOptions::keepalive_time>},
    config::DirectiveSpec{.name = "keepalive_requests",
                          .contexts = Context::upstream,
                          .arguments = config::takes(1),
                          .syntax = "NUMBER",
                          .default_text = "1000",
                          .documentation = "How many requests a connection to a backend serves.",
                          .set = config::set_number<&GroupOptions::keepalive_requests>},
    config::DirectiveSpec{
        .name = "keepalive_ping",
        .contexts = Context::upstream,
        .arguments = config::takes(1, 2),
        .syntax = "off | TIME [TIMEOUT]",
        .default_text = "off",
        .documentation =
            "HTTP/2: after TIME without a byte from a backend that requests wait for, a "
            "PING asks whether it is there; without an answer within TIMEOUT (10s) "
            "the connection is given up. Servers of gRPC may count PINGs that come "
            "often as abuse.",
        .set = set_keepalive_ping},
};

ClusterSpec make_spec(const config::Level& level, const GroupOptions& group,
                      const config::BuildFlags& flags) {
  ClusterSpec spec;
  spec.name = group.name;
  spec.endpoints = group.endpoints;
  spec.lookup = lookup_of(level);
  if (has_own_resolver(level)) {
    for (EndpointSpec& endpoint : spec.endpoints) endpoint.resolve = true;
  }
  spec.keep_alive = default_keep_alive(flags.compat_nginx);
  KeepAlive& keep = spec.keep_alive;
  if (group.keepalive.is_set) {
    keep.max_idle = *group.keepalive;
    keep.local = group.keepalive_local;
  }
  keep.idle_timeout = group.keepalive_timeout.value_or(keep.idle_timeout);
  keep.max_age = group.keepalive_time.value_or(keep.max_age);
  keep.max_requests = group.keepalive_requests.value_or(keep.max_requests);
  keep.ping_interval = group.ping_interval.value_or(keep.ping_interval);
  keep.ping_timeout = group.ping_timeout;
  return spec;
}

void add_names(const ClusterSpec& spec, const GroupOptions& group, std::vector<NameInUse>& names) {
  for (std::size_t i = 0; i < spec.endpoints.size(); ++i) {
    const EndpointSpec& endpoint = spec.endpoints[i];
    if (endpoint.address || endpoint.down) continue;
    const bool is_service = !endpoint.service.empty();
    names.push_back({.host = is_service ? endpoint.service : endpoint.host,
                     .written = endpoint.name,
                     .at = group.endpoints_at[i],
                     .dns = endpoint.resolve ? spec.lookup.dns : io::DnsOptions{},
                     .is_service = is_service});
  }
}

}  // namespace

const config::Feature kUpstreamFeature{
    .name = "upstream", .directives = kDirectives, .inherit = nullptr};

Groups collect_groups(const config::Level& root, config::Diagnostics& diagnostics,
                      const config::BuildFlags& flags, std::vector<NameInUse>& names) {
  Groups groups;
  for (const auto& http : root.children()) {
    if (http->context() != Context::http) continue;
    for (const auto& level : http->children()) {
      const auto* group = level->find<GroupOptions>();
      if (level->context() != Context::upstream || group == nullptr) continue;
      if (group->endpoints.empty() && !group->has_faulty_server) {
        diagnostics.absent(level->where(), "no servers are inside upstream");
      } else if (!group->has_faulty_server &&
                 std::ranges::all_of(group->endpoints, &EndpointSpec::backup)) {
        diagnostics.absent(level->where(), "no servers in upstream \"" + group->name + "\"",
                           "at least one server must not be \"backup\"");
      }
      auto spec = std::make_shared<const ClusterSpec>(make_spec(*level, *group, flags));
      add_names(*spec, *group, names);
      if (!groups.emplace(base::lower(group->name), std::move(spec)).second) {
        diagnostics.error(level->where(), "duplicate upstream \"" + group->name + "\"");
      }
    }
  }
  return groups;
}

void warn_of_unused(const config::Level& http, const Groups& groups,
                    const std::vector<std::shared_ptr<const ClusterSpec>>& used,
                    config::Diagnostics& diagnostics) {
  if (diagnostics.has_errors()) return;
  for (const auto& level : http.children()) {
    const auto* options = level->find<GroupOptions>();
    if (level->context() != Context::upstream || options == nullptr) continue;
    const auto group = groups.find(base::lower(options->name));
    if (group == groups.end() || std::ranges::find(used, group->second) != used.end()) continue;
    diagnostics.warning(level->where(), "upstream \"" + options->name + "\" is not used",
                        "no proxy_pass names it");
  }
}

}  // namespace upstream
