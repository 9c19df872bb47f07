// `master_process off`: listeners, workers and signals in one process, for a debugger. As in nginx
// it is not for production: it keeps the rights it was started with, and nobody starts it again.
#pragma once

#include "server/daemon.h"
#include "server/opening.h"

namespace server {

/// Runs until the end; the exit status.
[[nodiscard]] int serve_in_one_process(const StartOptions& options, Opening opening, Daemon daemon);

}  // namespace server
