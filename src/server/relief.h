// Relief: what one worker gives back when descriptors, memory or worker_connections run short: the
// idle connections of its clients first, the one that has been idle longest before the others, then
// idle connections to backends. What is being served is never touched. Belongs to the thread.
#pragma once

#include <cstddef>
#include <memory>

#include "async/scope.h"
#include "async/task.h"
#include "io/event_loop.h"
#include "observe/counters.h"
#include "observe/error_log.h"
#include "server/pressure.h"

namespace proxy {
class Site;
}

namespace server {

class Relief {
 public:
  /// What it may close, and where it says so; all of it outlives the Relief.
  struct Surroundings {
    io::EventLoop& loop;
    async::Scope& clients;
    const std::shared_ptr<proxy::Site>& site;  // the newest, null before the first
    observe::Counters& counters;
    const std::shared_ptr<const observe::ErrorLog>& log;  // changes with the snapshot
  };

  Relief(Pressure& pressure, Surroundings around);
  ~Relief();
  Relief(const Relief&) = delete;
  Relief& operator=(const Relief&) = delete;

  /// Closes a share of what is idle here: how many that was. 0: nothing is. The descriptors are
  /// free after the loop's turn.
  std::size_t close_idle();

  /// After accept() gave this descriptor: closes what is idle if it was one of the last.
  void on_accept(int descriptor);
  /// New connections must wait. Costs two loads.
  [[nodiscard]] bool must_wait() const noexcept {
    return descriptors_ == Supply::exhausted || pressure_.memory() == Supply::exhausted;
  }
  /// Ends when there is room again, when this worker has no connection at all any more (some must
  /// be served, whatever takes the rest), or with Error cancelled.
  [[nodiscard]] async::Task<base::Result<void>> wait();

 private:
  /// Here or, if nothing is idle here, at the other workers.
  void relieve(Pressure::Shortage shortage);
  void tell(Pressure::Shortage shortage, Pressure::Stage stage);
  void look_again();

  Pressure& pressure_;
  Surroundings around_;
  Pressure::Member member_;
  Supply descriptors_ = Supply::plenty;
};

}  // namespace server
