// Upgrade: one binary hands its listening sockets to the next, as nginx does (USR2). The new
// supervisor is a child of the old one, and finds the sockets by an environment variable:
//
//   SALLYPORT_SOCKETS=5;6;9      descriptors, open across the exec
//   SALLYPORT_ACTIVATED=6        those of them that the service manager has opened
//   SALLYPORT_TICKETS=10         the file with the secret of session tickets (tls/ticket_secret.h)
//   SALLYPORT_OLD_PROGRAM=11     the socket on which the old one says what it does (old_program.h)
//
// Which address each has, the kernel knows. Nothing is asked of the old process: it may be of
// another version. What an old one does not give, and a new one does not know, is missing and
// nothing else: that is why each has a variable.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "server/messages.h"

namespace server {

/// Runs `command` (its first word is the program, an absolute path or a name for PATH) with the
/// sockets of `listeners`, and `tickets` and `old_program` if they are there. The pid of the new
/// process.
[[nodiscard]] base::Result<pid_t> start_new_binary(const std::vector<std::string>& command,
                                                   std::span<const ListenerSockets> listeners,
                                                   const base::Fd& tickets,
                                                   const base::Fd& old_program);

/// Whether this process was started by start_new_binary.
[[nodiscard]] bool has_inherited_sockets();

struct Inheritance {
  std::vector<ListenerSockets> listeners;  // the sockets of one address together
  base::Fd tickets;
  base::Fd old_program;
};
/// What came with this process, and the variables are gone. Descriptors that are no listening
/// sockets are left alone.
[[nodiscard]] Inheritance take_inheritance();

}  // namespace server
