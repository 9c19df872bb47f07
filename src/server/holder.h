// Holder: a process beside the server process that shares its table of descriptors and sleeps.
//
//   supervisor ──┬── server process ┐
//                │                  ├── one table of descriptors (CLONE_FILES)
//                └── holder ────────┘
//
// When a process is killed the kernel closes its descriptors, and resets each connection in which
// something lies unread. With a second owner of the table they stay open: the holder wakes up
// (pidfd), settles them (orphans.h) and ends. kill -9, a crash, the kernel's out-of-memory killer
// are all the same to it.
//
// It is made with nothing in the server process yet but its identity: no key, no configuration, no
// other thread. So it is small (what it does not share with the server process is some 100 KB, as
// long as it sleeps) and holds no secret. It is no child of the server process but of the
// supervisor (CLONE_PARENT), which collects it, and with which it ends (PR_SET_PDEATHSIG). A server
// process that ends in order ends its holder first, so that nothing is held longer than it lives.
//
// It does not come back when it dies alone: the server process is large and has threads by then.
//
// Rejected: the supervisor as the second owner, to which each accepted socket would have to be
// sent, and which would read from it what clients send; SO_LINGER, which the kernel does not look
// at when something lies unread; accepting only what has been sent already (TCP_DEFER_ACCEPT,
// `listen … deferred`): what comes between the kernel's accept and the read is reset all the same.
//
// None in sanitizer builds: their runtimes have threads and locks of their own, which a bare
// clone() cuts in two.
#pragma once

#include <sys/types.h>

#include <memory>

#include "base/fd.h"
#include "base/result.h"

namespace server {

class Holder {
 public:
  /// In a server process with one thread. `giver` (succession.h) must stay open: holders share it.
  /// Null in sanitizer builds. Errors: no more processes, or a kernel before 5.3.
  [[nodiscard]] static base::Result<std::unique_ptr<Holder>> start(int giver);
  /// Ends it; it is gone when this returns.
  ~Holder();
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Readable once it has ended.
  [[nodiscard]] int descriptor() const noexcept { return process_.get(); }

 private:
  Holder(pid_t pid, base::Fd process, base::Fd server) noexcept
      : pid_(pid), process_(std::move(process)), server_(std::move(server)) {}

  pid_t pid_;
  base::Fd process_;
  base::Fd server_;  // the holder waits for it; the table is one
};

}  // namespace server
