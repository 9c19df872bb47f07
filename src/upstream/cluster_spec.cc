#include "upstream/cluster_spec.h"

#include <algorithm>

#include "base/text.h"

namespace upstream {

namespace {

using Parsed = std::expected<EndpointSpec, std::string_view>;
constexpr std::size_t kMaxName = 255;  // RFC 1035 §2.3.4

std::unexpected<std::string_view> wrong(std::string_view words) { return std::unexpected(words); }

bool is_host_name(std::string_view host) noexcept {
  return host.size() <= kMaxName && std::ranges::none_of(host, [](char c) {
           return c <= ' ' || c == 0x7f || c == '/' || c == '?' || c == '#' || c == '@' ||
                  c == '\\' || c == '[' || c == ']' || c == '"';
         });
}

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  const auto port = base::parse_number<std::uint16_t>(text);
  return port && *port != 0 ? port : std::nullopt;
}

Parsed parse_unix(std::string_view path, EndpointSpec spec) {
  if (path.empty()) return wrong("no path in the unix domain socket");
  spec.address = base::Address::from_path(path);
  if (!spec.address) return wrong("too long path in the unix domain socket");
  return spec;
}

Parsed parse_ipv6(std::string_view text, EndpointSpec spec) {
  const std::size_t end = text.find(']');
  if (end == std::string_view::npos) return wrong("invalid host");
  const std::string_view host = text.substr(1, end - 1);
  const std::string_view rest = text.substr(end + 1);
  if (!rest.empty()) {
    if (!rest.starts_with(':')) return wrong("invalid host");
    spec.port = parse_port(rest.substr(1));
    if (!spec.port) return wrong("invalid port");
  }
  if (host.empty()) return wrong("no host");
  spec.address = base::Address::from_ip(host, spec.port.value_or(0));
  if (!spec.address || spec.address->family() != AF_INET6) return wrong("invalid IPv6 address");
  return spec;
}

}  // namespace

Parsed parse_endpoint(std::string_view text) {
  EndpointSpec spec;
  spec.name = text;
  if (base::starts_with_ignoring_case(text, "unix:")) return parse_unix(text.substr(5), spec);
  if (text.starts_with('[')) return parse_ipv6(text, spec);
  std::string_view host = text;
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    spec.port = parse_port(text.substr(colon + 1));
    if (!spec.port) return wrong("invalid port");
    host = text.substr(0, colon);
  }
  if (host.empty()) return wrong("no host");
  if (!is_host_name(host)) return wrong("invalid host");
  spec.address = base::Address::from_ip(host, spec.port.value_or(0));
  if (!spec.address) spec.host = base::lower(host);
  return spec;
}

std::string service_name(std::string_view service, std::string_view host) {
  std::string name = base::lower(service);
  if (!service.contains('.')) name = "_" + name + "._tcp";
  return name.append(1, '.').append(host);
}

ClusterSpec implicit_cluster(EndpointSpec endpoint, std::uint16_t default_port,
                             const KeepAlive& keep_alive, const NameLookup& lookup) {
  ClusterSpec spec;
  spec.name = endpoint.name;
  spec.endpoints.push_back(std::move(endpoint));
  spec.keep_alive = keep_alive;
  spec.default_port = default_port;
  spec.is_group = false;
  spec.lookup = lookup;
  return spec;
}

KeepAlive default_keep_alive(bool compat_nginx) noexcept {
  if (compat_nginx) return {.max_idle = 32, .local = true};
  return {};
}

}  // namespace upstream
