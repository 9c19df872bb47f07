// Orphans: the descriptors that a server process leaves when it dies, and what its holder
// (holder.h) does with them, so that no client sees a reset:
//
//   a connection of a listener, never read from, nothing sent → to the next server process, which
//                                                             serves it as if it had accepted it
//   any other of a listener, any other over IP              → a FIN, then what still comes is read
//                                                             away, until the peer's end
//   all else (logs, listening sockets, epoll, ...)          → closed at once
//
// Why read away: the kernel answers with RST when a socket is closed in which something lies
// unread, and when something comes for one that is closed (RFC 9112 §9.6 has the same for servers
// that live).
//
// Whether a TCP connection was read from, the kernel knows: what has come (tcpi_bytes_received,
// which counts a FIN as one) less what lies unread (SIOCINQ, which does not). Of a Unix socket it
// does not, so each gets a mark when it is accepted: an offset for MSG_PEEK, which nobody uses here
// and which the kernel lowers by what is read. Multipath TCP ends: of that the kernel counts one
// path only. A connection to a backend is not told from a client's whose listener was closed: both
// get a FIN. A Unix socket without a listener is left alone: the error log may be one that is
// shared with others (systemd's journal), and shutdown() would end it for them, too.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>

namespace server {

struct OrphanLimits {
  /// How long what ends may take, all together. Enough for a FIN to get to a distant client and
  /// for what that had sent meanwhile to come.
  std::chrono::milliseconds ending{2000};
  /// How long to wait for a server process that takes what is handed over (RestartPause::kLongest
  /// and its start). Then it ends like the rest.
  std::chrono::milliseconds giving{10000};
  /// How much is read away of one connection.
  std::size_t bytes = std::size_t{4} << 20;
};

/// For each accepted Unix socket, before it is read from.
void mark_as_unread(int unix_socket) noexcept;

/// Owns `descriptors` from now on; `giver` (succession.h) stays the caller's. Returns when all are
/// closed.
void settle_orphans(std::span<const int> descriptors, int giver, const OrphanLimits& limits = {});

}  // namespace server
