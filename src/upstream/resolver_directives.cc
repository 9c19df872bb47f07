#include "upstream/resolver_directives.h"

#include "config/setters.h"
#include "config/values.h"

namespace upstream {

namespace {

using config::Binding;
using config::Context;
using O = ResolverOptions;

constexpr std::size_t kMaxServers = 16;
constexpr std::uint16_t kDnsPort = 53;

/// False if argument `i` is no parameter.
bool read_parameter(const Binding& binding, std::size_t i, io::DnsOptions& dns) {
  const std::string_view text = binding.argument(i);
  const auto is_invalid = [&](std::string hint) {
    binding.error_at(i, "invalid parameter: " + binding.argument(i), std::move(hint));
    return true;
  };
  const auto read_flag = [&](std::string_view value, bool& into) {
    if (value != "on" && value != "off") return is_invalid("\"on\" or \"off\"");
    into = value == "on";
    return true;
  };
  if (text.starts_with("valid=")) {
    const auto time = config::parse_seconds(text.substr(6));
    if (!time || time->count() == 0) return is_invalid("a time such as 30s, at least a second");
    dns.valid = *time;
    return true;
  }
  if (text.starts_with("ipv4=")) return read_flag(text.substr(5), dns.ipv4);
  if (text.starts_with("ipv6=")) return read_flag(text.substr(5), dns.ipv6);
  if (text.starts_with("status_zone=")) {
    binding.warn_at(i, "\"status_zone=\" of \"resolver\" has no effect",
                    "`sallyport status` counts lookups and failures");
    return true;
  }
  return false;
}

void read_server(const Binding& binding, std::size_t i, io::DnsOptions& dns) {
  const auto endpoint = parse_endpoint(binding.argument(i));
  if (!endpoint || (endpoint->address && endpoint->address->is_unix())) {
    const std::string_view why = endpoint ? "invalid host" : endpoint.error();
    return binding.error_at(
        i, std::string(why) + " in resolver \"" + binding.argument(i) + "\"",
        "an address or a name, perhaps with a port; IPv6 addresses in brackets");
  }
  if (dns.servers.size() + dns.named_servers.size() >= kMaxServers) {
    return binding.error_at(i, "too many name servers", "16 will do");
  }
  const std::uint16_t port = endpoint->port.value_or(kDnsPort);
  if (endpoint->address) {
    dns.servers.push_back(endpoint->address->with_port(port));
  } else {
    dns.named_servers.push_back({.host = endpoint->host, .port = port});
  }
}

void set_resolver(Binding& binding) {
  io::DnsOptions dns;
  bool names_a_server = false;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    if (read_parameter(binding, i, dns)) continue;
    names_a_server = true;
    read_server(binding, i, dns);
  }
  if (!dns.ipv4 && !dns.ipv6) {
    binding.error("\"ipv4\" and \"ipv6\" cannot both be \"off\"", "leave one of them on");
  }
  if (!names_a_server) {
    binding.error("no name servers defined", "name at least one: resolver 127.0.0.1;");
  }
  binding.options<O>().resolver.set(std::move(dns), binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "resolver",
     .contexts = config::kHttpServerLocation | Context::upstream,
     .arguments = config::takes_at_least(1),
     .syntax = "ADDRESS ... [valid=TIME] [ipv4=on|off] [ipv6=on|off] [status_zone=ZONE]",
     .documentation = "Name servers for names that come out of variables and for servers that say "
                      "\"resolve\"; in an upstream block for all its names. Without it the "
                      "system's.",
     .set = set_resolver},
    {.name = "resolver_timeout",
     .contexts = config::kHttpServerLocation | Context::upstream,
     .syntax = "TIME",
     .default_text = "30s",
     .documentation = "How long a request waits for the address of a name that is not known yet.",
     .set = config::set_duration<&O::timeout>},
};

}  // namespace

const config::Feature kResolverFeature{"resolver", kDirectives,
                                       config::inherit_options<ResolverOptions>};

NameLookup lookup_of(const config::Level& level) {
  const auto& options = level.get<ResolverOptions>();
  return {.dns = *options.resolver, .timeout = *options.timeout};
}

bool has_own_resolver(const config::Level& level) {
  const auto& own = level.get<ResolverOptions>().resolver;
  if (!own.is_set || level.parent() == nullptr) return own.is_set;
  const auto& above = level.parent()->get<ResolverOptions>().resolver;
  return !above.is_set || !(above.where == own.where);
}

void add_named_servers(const config::Level& level, std::vector<NameInUse>& names) {
  if (has_own_resolver(level)) {
    const auto& resolver = level.get<ResolverOptions>().resolver;
    for (const io::NamedServer& server : resolver->named_servers) {
      names.push_back({.role = NameInUse::Role::resolver,
                       .host = server.host,
                       .written = server.host,
                       .at = resolver.where});
    }
  }
  for (const auto& child : level.children()) add_named_servers(*child, names);
}

}  // namespace upstream
