// `resolver` and `resolver_timeout`: who looks up the names of backends.
//
// Names that are written in proxy_pass and `server` are the system's business, as in nginx: many
// configurations name a public `resolver` for other ends, and it knows nothing of internal names. A
// configured resolver looks up what nginx has it look up: names that come out of variables, `server
// NAME resolve`, and all names of an `upstream` block that has a `resolver` of its own.
#pragma once

#include <chrono>
#include <string>
#include <tuple>
#include <vector>

#include "config/diagnostics.h"
#include "config/directive.h"
#include "config/level.h"
#include "io/resolver.h"
#include "upstream/cluster_spec.h"

namespace upstream {

struct ResolverOptions {
  config::Setting<io::DnsOptions> resolver;
  config::Setting<std::chrono::milliseconds> timeout{std::chrono::milliseconds(30'000)};

  auto settings(this auto& self) { return std::tie(self.resolver, self.timeout); }
};

extern const config::Feature kResolverFeature;

/// What holds at a level, after config::interpret.
[[nodiscard]] NameLookup lookup_of(const config::Level& level);
/// Does the level itself say `resolver`?
[[nodiscard]] bool has_own_resolver(const config::Level& level);

/// A name that must be known for the configuration to work, and where it is written.
struct NameInUse {
  enum class Role : std::uint8_t { upstream, resolver };
  Role role = Role::upstream;
  std::string host;
  std::string written;  // as the configuration has it: "app.example:8080"
  config::Position at;
  io::DnsOptions dns{};  // who is asked
  std::string similar{};  // the upstream block that was perhaps meant; empty: none
  bool is_service = false;  // `host` is a service's name
};

/// The names of name servers at `level` and inside it.
void add_named_servers(const config::Level& level, std::vector<NameInUse>& names);

}  // namespace upstream
