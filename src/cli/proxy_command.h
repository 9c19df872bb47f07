// `sallyport proxy --to URL`: a proxy in one line, for whoever has a service on a port and wants
// TLS in front of it. It writes the configuration that it stands for, and runs that: --print shows
// it, and a first configuration of one's own may begin there.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "server/opening.h"

namespace cli {

struct ProxyRequest {
  std::vector<std::string> to{};  // "http://127.0.0.1:3000", "3000", "https://name", "unix:/path"
  std::string listen = ":8443";  // ":PORT" on all addresses, or "ADDRESS:PORT"
  std::vector<std::string> domains{};  // names of the server; none: localhost
  std::string certificate{};  // both of them or neither
  std::string key{};
  bool print = false;
};

/// What a request comes to: all that the configuration needs, checked and in its language.
struct ProxyPlan {
  std::vector<std::string> listen{};  // parameters of `listen`: "8443", "[::]:8443"
  std::vector<std::string> names{};  // of the server
  std::string scheme = "http";  // toward the backends
  std::vector<std::string> servers{};  // "127.0.0.1:3000", "unix:/path"
  std::string path{};  // of the only backend's URL, empty: none
  std::string certificate{};
  std::string key{};
  unsigned port = 0;
};

/// The error is a sentence for the user. `ipv6`: wildcard addresses get a second `listen`.
[[nodiscard]] std::expected<ProxyPlan, std::string> plan_proxy(const ProxyRequest& request,
                                                               bool ipv6);

/// The configuration file of a plan.
[[nodiscard]] std::string proxy_configuration(const ProxyPlan& plan);

/// The prefix of a request that names none: below the state directory, after its port, so that
/// several don't collide and `sallyport status -p` finds each.
[[nodiscard]] std::string proxy_prefix(std::string_view state_directory,
                                       const ProxyRequest& request);

/// Prints the configuration or runs it in the foreground; the exit status. Configuration, pid file,
/// sockets and a development certificate are in the prefix of `options`.
[[nodiscard]] int run_proxy(const ProxyRequest& request, server::StartOptions options);

}  // namespace cli
