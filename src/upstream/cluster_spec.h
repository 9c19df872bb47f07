// ClusterSpec: what the configuration says about a group of backends. Immutable; a snapshot holds
// it and every worker makes its own Cluster of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "io/resolver.h"

namespace upstream {

/// One `server` line, or the target of a proxy_pass that names no group.
struct EndpointSpec {
  std::string name;  // as written: "app.example.com:8080", "unix:/run/app.sock"
  std::string host;  // to be resolved; empty when `address` says it all
  // Its SRV records are looked up instead, whole: "_http._tcp.app.example.com"; empty: none.
  std::string service{};
  std::optional<base::Address> address;  // an IP address (port 0 without explicit port) or a path
  std::optional<std::uint16_t> port;  // explicit port; else ClusterSpec::default_port
  std::uint32_t weight = 1;
  std::uint32_t max_fails = 1;  // 0: failures do not count
  std::chrono::seconds fail_timeout{10};
  std::uint32_t max_conns = 0;  // at once, per worker; 0: no limit
  bool backup = false;
  bool down = false;
  bool resolve = false;  // the host is looked up as ClusterSpec::lookup says; else by the system

  bool operator==(const EndpointSpec&) const = default;
};

/// Who looks names up, and for how long a request waits for an address.
struct NameLookup {
  io::DnsOptions dns{};
  std::chrono::milliseconds timeout{30'000};
  bool operator==(const NameLookup&) const = default;
};

/// Idle connections to backends, per worker and cluster.
struct KeepAlive {
  std::size_t max_idle = 64;  // 0: every connection serves one request
  bool local = false;  // a connection is used again by the location that opened it only
  std::chrono::milliseconds idle_timeout{60'000};
  std::chrono::milliseconds max_age{3'600'000};  // since it was opened
  std::uint64_t max_requests = 1000;
  // HTTP/2: so long without a byte while requests wait, and a PING asks whether the backend is
  // there. Off by default: servers of gRPC close connections for PINGs that they find too many.
  std::chrono::milliseconds ping_interval = std::chrono::milliseconds::max();
  std::chrono::milliseconds ping_timeout{10'000};

  bool operator==(const KeepAlive&) const = default;
};

struct ClusterSpec {
  std::string name;  // the group's, or the host of a proxy_pass
  std::vector<EndpointSpec> endpoints;
  KeepAlive keep_alive;
  std::uint16_t default_port = 80;  // nginx gives servers of a group 80, for https:// as well
  bool is_group = true;  // false: made for a proxy_pass that names no group
  NameLookup lookup;

  /// Whether a Cluster of the one may go on as that of the other: all that its behaviour depends
  /// on.
  bool operator==(const ClusterSpec&) const = default;
};

/// The name of the SRV records for `service=` at `host`: "http" and "a.test" give
/// "_http._tcp.a.test"; with a dot in it, a service is only put before the host (nginx's rule).
[[nodiscard]] std::string service_name(std::string_view service, std::string_view host);

/// "host", "host:port", "1.2.3.4:80", "[::1]:80", "unix:/path". The error is in nginx's words:
/// "invalid host", "invalid port", "no host", ...
[[nodiscard]] std::expected<EndpointSpec, std::string_view> parse_endpoint(std::string_view text);

/// The cluster of a proxy_pass that names no group: one endpoint, whose failures do not count if it
/// has one address. `default_port` is the scheme's.
[[nodiscard]] ClusterSpec implicit_cluster(EndpointSpec endpoint, std::uint16_t default_port,
                                           const KeepAlive& keep_alive,
                                           const NameLookup& lookup = {});

/// What holds where no `keepalive` directive says otherwise; `compat nginx` has nginx's own.
[[nodiscard]] KeepAlive default_keep_alive(bool compat_nginx) noexcept;

}  // namespace upstream
