// The status of a running instance, as JSON; docs/guide/operations.md describes the fields. What
// workers know about themselves comes by message (worker_reports.h); counters are read where they
// are.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "observe/counters.h"
#include "server/process_facts.h"
#include "server/worker_thread.h"

namespace server {

class Server;

struct StatusFacts {
  const Server& server;
  const ProcessFacts& process;
  std::span<const WorkerReport> reports;
  std::span<const observe::Reading> readings;
  std::vector<std::uint64_t> lately;  // how much each reading has risen
  base::WallTime now;
};

/// One line.
[[nodiscard]] std::string status_json(const StatusFacts& facts);

}  // namespace server
