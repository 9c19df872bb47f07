// What `-t` and `check` do about listeners, as nginx -t does: each address is bound once and let
// go, so that a missing right, interface or folder is found before a start. An address in use is no
// mistake: most likely the running instance has it, which is not disturbed (nothing listens here).
#pragma once

#include "config/diagnostics.h"
#include "snapshot/snapshot.h"

namespace server {

void check_listeners(const snapshot::Snapshot& snapshot, config::Diagnostics& diagnostics);

}  // namespace server
