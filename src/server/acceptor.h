// Acceptor: takes the connections of one listener on one worker and gives each its task.
//
// What pauses it, each counted and told once per episode: worker_connections, and a process that
// runs out of descriptors or memory. What is idle is closed first (relief.h); then connections wait
// in the kernel's queue: that is the back-pressure.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "async/channel.h"
#include "async/scope.h"
#include "async/task.h"
#include "base/address.h"
#include "io/socket.h"
#include "observe/counters.h"
#include "observe/error_log.h"
#include "server/relief.h"

namespace server {

/// How many connections a worker may have and has; whoever waits for room is woken.
class ConnectionLimit {
 public:
  void set_limit(std::size_t limit) noexcept;
  [[nodiscard]] bool has_room() const noexcept { return open_ < limit_; }
  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
  [[nodiscard]] std::size_t open() const noexcept { return open_; }
  void enter() noexcept { ++open_; }
  void leave() noexcept;

 private:
  friend class Acceptor;
  std::size_t limit_ = 512;
  std::size_t open_ = 0;
  std::vector<async::Channel<char>*> waiting_;
};

class Acceptor {
 public:
  using Serve = std::function<async::Task<void>(io::Accepted accepted, base::Address local)>;
  struct Surroundings {
    io::EventLoop& loop;
    async::Scope& connections;
    ConnectionLimit& limit;
    Relief& relief;
    observe::Counters& counters;
    const std::shared_ptr<const observe::ErrorLog>& log;  // changes with the snapshot
    const Serve& serve;
  };

  Acceptor(Surroundings around, base::Address address, std::unique_ptr<io::Listener> listener);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  [[nodiscard]] const base::Address& address() const noexcept { return address_; }

  /// Until the scope it runs in stops; then it takes what is queued already, and ends.
  [[nodiscard]] async::Task<void> run();
  /// Begins with one that another process has accepted, once there is room.
  [[nodiscard]] async::Task<void> take_over(io::Accepted accepted);

 private:
  // Error cancelled: the scope stops.
  [[nodiscard]] async::Task<base::Result<void>> wait_for_room();
  /// Closes what has become idle meanwhile, until its scope stops.
  [[nodiscard]] async::Task<void> make_room();
  [[nodiscard]] async::Task<base::Result<void>> wait_for_descriptors(base::Error error);
  void begin(io::Accepted accepted);
  /// Outlives the acceptor: a connection stays when its listener goes.
  [[nodiscard]] static async::Task<void> serve_counted(Surroundings around, io::Accepted accepted,
                                                       base::Address local);

  Surroundings around_;
  base::Address address_;
  std::unique_ptr<io::Listener> listener_;
  async::Channel<char> room_{1};
  bool told_limit_ = false;
  bool told_descriptors_ = false;
};

}  // namespace server
