// What `status` tells about the processes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace server {

/// A server process that serves what it has to its end, and takes nothing new.
struct DrainingProcess {
  pid_t pid = 0;
  base::WallTime since;
  std::optional<std::uint64_t> connections{};  // left, as it said last
};

/// The supervisor that a new binary replaces, while both are there.
struct OldProgram {
  enum class State : std::uint8_t { active, draining, idle };
  pid_t pid = 0;
  State state = State::active;
  std::optional<std::uint64_t> connections{};  // left to one that drains, as it said last
  bool operator==(const OldProgram&) const = default;
};

struct ReloadOutcome {
  enum class Kind : std::uint8_t { applied, refused };
  Kind kind = Kind::applied;
  base::WallTime time;
  std::uint64_t generation = 0;  // what serves since, or still
  std::string text{};  // what changed, or why not
};

/// What the supervisor alone knows, and tells the process that serves.
struct InstanceFacts {
  std::vector<DrainingProcess> draining{};
  std::optional<ReloadOutcome> last_reload{};
  std::optional<OldProgram> old_program{};
};

struct ProcessFacts {
  pid_t supervisor = 0;
  pid_t server = 0;
  std::uint32_t restarts = 0;
  base::WallTime started;
  uid_t owner = 0;  // may ask, besides root
  InstanceFacts instance{};
};

}  // namespace server
