// What `server`, `listen`, `server_name` and `location` say: each block's own, never inherited.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/address.h"
#include "config/directive.h"
#include "io/listen_options.h"
#include "route/route_table.h"

namespace route {

struct ListenOptions {
  base::Address address;
  bool default_server = false;
  bool tls = false;
  bool http2 = false;
  bool proxy_protocol = false;
  io::ListenOptions socket{};
  bool has_socket_options = false;  // backlog, ipv6only, bind, ...: allowed once per address
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

}  // namespace route
