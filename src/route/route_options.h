// What `server`, `listen`, `server_name` and `location` say: each block's own, never inherited.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/address.h"
#include "config/directive.h"
#include "route/route_table.h"

namespace route {

struct ListenOptions {
  base::Address address;
  bool default_server = false;
  bool tls = false;
  int backlog = 511;       // nginx's on Linux
  bool ipv6_only = true;
  bool has_socket_options = false;  // backlog, ipv6only, ...: allowed once per address
  config::Position where;
};

/// Of a `server` block.
struct ServerOptions {
  std::vector<ListenOptions> listens;
  std::vector<config::Word> names;
};

/// Of a `location` block.
struct LocationOptions {
  Location::Kind kind = Location::Kind::prefix;
  std::string name;
  bool ignore_case = false;
  config::Position where;
};

extern const config::Feature kFeature;

/// Reads one address of `listen`: "80", "*:80", "127.0.0.1", "[::]:80", "localhost:80",
/// "unix:/path". The error is in nginx's words.
[[nodiscard]] std::expected<std::vector<base::Address>, std::string> parse_listen_address(
    std::string_view text);

}  // namespace route
