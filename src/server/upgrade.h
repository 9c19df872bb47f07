// Upgrade: one binary hands its listening sockets to the next, as nginx does (USR2). The new
// supervisor is a child of the old one, and finds the sockets by an environment variable:
//
//   SALLYPORT_SOCKETS=5;6;9      descriptors, open across the exec
//
// Which address each has, the kernel knows. Nothing is asked of the old process: it may be of
// another version.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/messages.h"

namespace server {

/// Runs `command` (its first word is the program, an absolute path or a name for PATH) with the
/// sockets of `listeners`. The pid of the new process.
[[nodiscard]] base::Result<pid_t> start_new_binary(const std::vector<std::string>& command,
                                                   std::span<const ListenerSockets> listeners);

/// Whether this process was started by start_new_binary.
[[nodiscard]] bool has_inherited_sockets();
/// The sockets that came with it, those of one address together, and the variable is gone.
/// Descriptors that are no listening sockets are left alone.
[[nodiscard]] std::vector<ListenerSockets> take_inherited_sockets();

}  // namespace server
