// nginx's limit_req and limit_conn modules: their directives, compiled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "guard/zone.h"
#include "observe/error_log.h"
#include "script/value.h"

namespace guard {

/// Of the http block.
struct ZoneDeclaration {
  ZoneSpec spec;
  config::Word key;
  std::uint64_t rate = 1000;
  config::Position where{};
};
struct ZoneOptions {
  std::vector<ZoneDeclaration> zones;
};

/// limit_req. In thousandths of a request, as nginx counts.
struct RequestLimit {
  static constexpr std::uint64_t kNoDelay = std::numeric_limits<std::uint64_t>::max();
  std::string zone;
  std::uint64_t burst = 0;
  std::uint64_t delay = 0;  // what is above is delayed
  config::Position where{};
};
/// limit_conn.
struct ConnectionLimit {
  std::string zone;
  std::uint32_t most = 0;
  config::Position where{};
};

template <class Limit>
struct LimitOptions {
  config::Setting<std::vector<Limit>> limits;
  config::Setting<bool> dry_run{false};
  config::Setting<observe::Level> log_level{observe::Level::error};
  config::Setting<unsigned> status{503};
  auto settings(this auto& self) {
    return std::tie(self.limits, self.dry_run, self.log_level, self.status);
  }
};
using LimitReqOptions = LimitOptions<RequestLimit>;
using LimitConnOptions = LimitOptions<ConnectionLimit>;

/// A level's limits with their zones found; the options say the rest.
template <class Limit>
struct LimitPlan {
  struct Entry {
    const Zone* zone = nullptr;
    std::size_t number = 0;  // the zone's
    Limit limit;
  };
  std::vector<Entry> entries;
};
using LimitReqPlan = LimitPlan<RequestLimit>;
using LimitConnPlan = LimitPlan<ConnectionLimit>;

extern const config::Feature kFeature;

/// The zones that the http level declares. The plans point to them: they must stay in place.
[[nodiscard]] std::vector<Zone> make_zones(const config::Level& http, script::Variables& variables,
                                           config::Diagnostics& diagnostics);

/// After inheritance, for each http, server, location and limit_except level from the top.
void provision_limits(config::Level& level, std::span<const Zone> zones,
                      config::Diagnostics& diagnostics);

/// Whether a request at that level has any limit to pass.
[[nodiscard]] bool has_limits(const config::Level& level);

}  // namespace guard
