// Asks all workers how they are, by message. A worker that does not answer in time is left out: it
// hangs, and that is worth knowing, too.
#pragma once

#include <vector>

#include "async/task.h"
#include "io/event_loop.h"
#include "server/worker_thread.h"

namespace server {

class Server;

/// On the control thread. The reports are in the order of the workers.
[[nodiscard]] async::Task<std::vector<WorkerReport>> collect_reports(const Server& server,
                                                                     io::EventLoop& control);

}  // namespace server
