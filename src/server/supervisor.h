// The supervisor: the process in the pid file. It opens what the configuration names, holds the
// listening sockets, starts the server process and starts it again when it dies, and is told what
// to do by signals, nginx's: QUIT ends gracefully, TERM and INT at once, HUP reloads, USR2 starts a
// new binary beside this one, WINCH ends the server process and leaves the supervisor.
//
// One thread and poll(2), no event loop and no coroutines: what must never fail has little in it.
//
//              spawn             ready               quit, terminate
//   (starting) ─────► [server] ─────────► (serving) ─────────────────► (ending) ──► exit
//                        │ dies: exit 1      │ dies: spawn again, later each time   dies: exit 0
//
// A reload goes to the serving process, which takes it over in place. Where it can't (another user,
// another number of workers), a successor is started with it; once that is ready the old process is
// told to retire: it serves the connections that it has to their end.
//
// An upgrade (USR2) is nginx's: the new binary is a child with the same listening sockets; the pid
// file and the admin socket of the old one are renamed to .oldbin. Then WINCH and QUIT for the old
// one, or, to return, HUP for the old one and QUIT for the new: when the new one ends, the old one
// takes its names back, and serves again if it had been told to stop.
#pragma once

#include "server/opening.h"

namespace server {

/// Runs until the end; the process's exit status. Errors of the start go to stderr as nginx's
/// would.
[[nodiscard]] int supervise(const StartOptions& options);

}  // namespace server
