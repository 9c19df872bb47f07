// nginx's access module (allow, deny), and satisfy: which of a location's conditions must hold.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "base/address.h"
#include "config/directive.h"

namespace admission {

struct AccessRule {
  std::optional<base::Network> network;  // nothing: all
  bool deny = false;
};

/// The rules are one list, in the order of the file. A level's own replace all of those around it.
struct AccessOptions {
  config::Setting<std::vector<AccessRule>> rules;
  auto settings(this auto& self) { return std::tie(self.rules); }
};

enum class Satisfy : std::uint8_t { all, any };

struct SatisfyOptions {
  config::Setting<Satisfy> satisfy{Satisfy::all};
  config::Setting<std::chrono::milliseconds> auth_delay{std::chrono::milliseconds(0)};
  auto settings(this auto& self) { return std::tie(self.satisfy, self.auth_delay); }
};

extern const config::Feature kAccessFeature;

/// Of the first rule that the address falls under. none: no rule says anything.
enum class Access : std::uint8_t { none, allowed, denied };
[[nodiscard]] Access check_access(const config::Level& level, const base::Address& client) noexcept;

}  // namespace admission
