// The supervisor: the process in the pid file. It opens what the configuration names, holds the
// listening sockets, starts the server process and starts it again when it dies, and is told what
// to do by signals: QUIT ends gracefully, TERM and INT at once, HUP reloads.
//
// One thread and poll(2), no event loop and no coroutines: what must never fail has little in it.
//
//              spawn             ready               quit, terminate
//   (starting) ─────► [server] ─────────► (serving) ─────────────────► (ending) ──► exit
//                        │ dies: exit 1      │ dies: spawn again, later each time   dies: exit 0
#pragma once

#include "server/opening.h"

namespace server {

/// Runs until the end; the process's exit status. Errors of the start go to stderr as nginx's
/// would.
[[nodiscard]] int supervise(const StartOptions& options);

}  // namespace server
