// Pool: the idle connections of one cluster on one worker. Last in, first out per peer and
// identity, so that the surplus grows old and times out; bounded, the oldest leaves first.
//
// An idle connection that becomes readable is closed: either the backend has hung up, or it speaks
// unasked, and an answer that came before its request is never believed. (TLS messages that carry
// no data, such as session tickets, do not count.) Nothing is destroyed inside a stream's callback:
// such a connection is marked, not given out any more, and closed by its timer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "io/event_loop.h"
#include "observe/counters.h"
#include "upstream/cluster_spec.h"
#include "upstream/connection.h"

namespace upstream {

class Pool {
 public:
  /// `counters`, where given, has a gauge of the idle connections.
  Pool(io::EventLoop& loop, KeepAlive options, observe::Counters* counters = nullptr) noexcept;
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// The connection that was used last, or null.
  [[nodiscard]] std::unique_ptr<Connection> take(const Identity& identity);

  /// Keeps an idle connection, or closes it: pool off or closed, bound to one client, too many
  /// requests served, too old, no quiet. True when it is kept.
  bool put(std::unique_ptr<Connection> connection);

  /// Closes the idle connections of a peer that is gone.
  void forget(std::uint32_t peer);
  /// Closes all of them.
  void clear();
  /// Since when the oldest has been idle; kNoDeadline if there is none. Linear in the peers.
  [[nodiscard]] base::TimePoint oldest_since() const noexcept;
  /// Closes that one.
  void discard_oldest() noexcept;
  /// Closes all and keeps none from now on: the worker or the snapshot drains.
  void close();

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t size_of(std::uint32_t peer) const noexcept {
    const auto found = idle_.find(peer);
    return found == idle_.end() ? 0 : found->second.size();
  }
  [[nodiscard]] const KeepAlive& options() const noexcept { return options_; }

 private:
  friend class Connection;
  using Stack = std::vector<std::unique_ptr<Connection>>;
  [[nodiscard]] std::unique_ptr<Connection> remove(Stack& stack, Stack::iterator at) noexcept;
  void discard(Connection& connection) noexcept;
  [[nodiscard]] Connection* oldest() const noexcept;

  io::EventLoop& loop_;
  KeepAlive options_;
  observe::Counters* counters_;
  std::unordered_map<std::uint32_t, Stack> idle_;  // by peer; oldest first
  std::size_t size_ = 0;
  std::uint64_t next_age_ = 0;
  bool closed_ = false;
};

}  // namespace upstream
