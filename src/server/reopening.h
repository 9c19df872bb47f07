// Reopening: the logs of a configuration are opened again, since their names mean other files now
// (USR1, `sallyport reopen`). Whoever holds the configuration opens them; the server process is
// sent the descriptors (messages.h) and puts them in place (Server::reopen_logs).
#pragma once

#include <memory>
#include <vector>

#include "observe/error_log.h"
#include "server/opening.h"

namespace server {

/// Opens every log file of `opening` again: its record and its snapshot use the new ones
/// afterwards. What can't be opened stays as it was, and `log` is told. Gives what was opened, for
/// other processes.
[[nodiscard]] std::vector<snapshot::ReopenedLog> reopen_logs(Opening& opening,
                                                             const observe::ErrorLog& log);

}  // namespace server
