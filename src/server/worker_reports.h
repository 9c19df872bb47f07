// Asks all workers how they are, by message. A worker that does not answer in time is left out: it
// hangs, and that is worth knowing, too.
#pragma once

#include <span>
#include <vector>

#include "async/task.h"
#include "io/event_loop.h"
#include "server/worker_thread.h"

namespace server {

class Server;

/// On the control thread. The reports are in the order of the workers.
[[nodiscard]] async::Task<std::vector<WorkerReport>> collect_reports(const Server& server,
                                                                     io::EventLoop& control);

/// The workers that have not answered. None while the server is ending: who has ended is silent,
/// and that is as it should be.
[[nodiscard]] std::vector<unsigned> silent_workers(const Server& server,
                                                   std::span<const WorkerReport> reports);

}  // namespace server
