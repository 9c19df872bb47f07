// The names of backends, looked up before a configuration is served: in the supervisor and in
// `check`, where waiting hurts nobody.
//
// A name that is not found is what nginx refuses to start for; it is an error under `compat nginx`.
// Natively it is a warning: requests for it are answered 502 until it is found, and everything else
// works. All names are looked up at once and the whole takes a few seconds at most, whatever name
// servers do: a start must not hang because they are down.
#pragma once

#include <chrono>

#include "config/diagnostics.h"
#include "snapshot/snapshot.h"

namespace server {

inline constexpr std::chrono::seconds kNameCheckTime{3};

/// Blocks for at most kNameCheckTime.
void check_names(const snapshot::Snapshot& snapshot, config::Diagnostics& diagnostics);

}  // namespace server
