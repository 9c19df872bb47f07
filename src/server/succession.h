// Succession: the way of a connection from a server process that has died to the one that serves
// next. A pair of sockets, which the supervisor makes, keeps open, and gives to each server
// process: into one end the holder of a dead process (holder.h) puts what that had accepted and not
// read from, from the other the process takes that serves.
//
// The supervisor itself reads nothing: what a server process says to it stays short and without
// descriptors (messages.h). Nothing is lost when there is no server process for a moment: packets
// wait in the kernel. Only when nobody holds the taking end any more are they refused.
#pragma once

#include <cstdint>

#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"

namespace server {

struct Succession {
  base::Fd giver{};
  base::Fd taker{};

  [[nodiscard]] static base::Result<Succession> make();
};

enum class Given : std::uint8_t { yes, later, never };

/// Puts a connection into the giving end; the caller's own descriptor stays open. `later`: there
/// are many already, poll for POLLOUT. `never`: nobody will take it.
[[nodiscard]] Given give(int giver, int connection) noexcept;

/// The next one. Empty: a packet without a descriptor, of which this process may have no more left.
/// Errors: would_block, end_of_stream. Whoever gives is as little trusted as a client.
[[nodiscard]] base::Result<base::Fd> take(int taker) noexcept;

/// AF_UNSPEC if it has none.
[[nodiscard]] base::Address local_address(int socket) noexcept;

/// A connection whose own end is `local` came in at a listener of just this address, or of this
/// one: all addresses with the same port. AF_UNSPEC for Unix sockets.
[[nodiscard]] base::Address wildcard_of(const base::Address& local) noexcept;

}  // namespace server
