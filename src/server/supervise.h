// supervise: what becomes of the process that was started: it takes what came with it (from the
// service manager, or from the binary that it replaces), opens the configuration, goes to the
// background, and is the supervisor then (supervisor.h), or all in one process (single_process.h).
#pragma once

#include "server/opening.h"

namespace server {

/// Runs until the end; the process's exit status. Errors of the start go to stderr as nginx's
/// would.
[[nodiscard]] int supervise(const StartOptions& options);

}  // namespace server
