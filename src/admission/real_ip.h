// nginx's realip module: behind other proxies, the client's address is what a trusted one says.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "base/address.h"
#include "config/directive.h"
#include "exchange/exchange.h"

namespace admission {

struct RealIpOptions {
  config::Setting<std::vector<base::Network>> from;
  config::Setting<std::string> header{std::string("X-Real-IP")};
  config::Setting<bool> recursive{false};
  auto settings(this auto& self) { return std::tie(self.from, self.header, self.recursive); }
};

extern const config::Feature kRealIpFeature;

/// Moves exchange.remote to the address that the header names, if whoever connected is trusted: the
/// last one of a list, or (recursive) the last one that is not itself trusted. An address that
/// can't be read ends the search. Of X-Forwarded-For all fields count as one list, of others the
/// first.
///
/// As nginx, once for the server's level and, if that left the address as it was, once more for the
/// location's; an address that was moved is not moved again.
void apply_real_ip(const config::Level& level, exchange::Exchange& exchange);

}  // namespace admission
