// Leaving the terminal (`daemon on`). Unlike nginx's, the process that was started stays until
// everything listens and the pid file is there (or start-up failed, which its exit status tells):
// whoever waits for it may connect at once.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace observe {
class ErrorLog;
}

namespace server {

class Daemon {
 public:
  /// In the foreground: nothing to tell.
  Daemon() = default;
  /// Returns in the new process, the leader of a session of its own, with stdin and stdout from
  /// /dev/null; stderr stays until the error log takes its place. The old process waits for tell()
  /// and exits.
  [[nodiscard]] static base::Result<Daemon> detach();

  /// Lets the old process exit with this status.
  void tell(int status) noexcept;

 private:
  base::Fd waiting_;
};

/// As nginx does: what a CHECK or a library says goes into the error log, and whoever started the
/// program may read its stderr to the end.
void redirect_stderr(const observe::ErrorLog& log) noexcept;

}  // namespace server
