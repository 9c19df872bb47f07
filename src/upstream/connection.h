// Connection: an open connection to a peer, in a Lease or idle in a Pool. One allocation for its
// whole life; going from one to the other moves a pointer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "io/stream.h"
#include "io/timers.h"
#include "upstream/connector.h"

namespace upstream {

class Pool;

/// What a connection must agree in to serve a request.
struct Identity {
  std::uint32_t peer = 0;
  std::uint64_t locality = 0;  // of the location, where connections are not shared between them
  const TlsTarget* tls = nullptr;
  const base::Address* from = nullptr;  // the local end, where one was asked for
};

class Connection final : private io::Waiter, private io::Timer {
 public:
  Connection(Transport transport, const Identity& identity);

  [[nodiscard]] io::Stream& stream() const noexcept { return *transport_.stream; }
  [[nodiscard]] const tls::TlsStream* tls() const noexcept { return transport_.tls; }
  [[nodiscard]] std::uint32_t peer() const noexcept { return peer_; }
  [[nodiscard]] bool matches(const Identity& identity) const noexcept;

  std::uint64_t requests = 0;  // served, the current one not counted
  bool single_use = false;     // bound to one client: never pooled

 private:
  friend class Pool;
  [[nodiscard]] base::TimePoint now() const noexcept { return stream().loop().now(); }
  void on_ready() noexcept override;
  void on_timer() noexcept override;
  /// True if the peer has neither closed the connection nor said anything.
  [[nodiscard]] bool is_quiet() noexcept;

  Transport transport_;
  std::uint32_t peer_;
  std::uint64_t locality_;
  base::Address from_;  // AF_UNSPEC: whatever the system chose
  bool over_tls_;
  std::uint64_t context_ = 0;  // its id: what a reload makes may have the address of what is gone
  std::string server_name_;
  std::string verify_name_;
  Pool* pool_ = nullptr;  // while idle
  base::TimePoint opened_at_;
  std::uint64_t age_ = 0;  // order of arrival in the pool
  base::TimePoint idle_since_{};
  bool doomed_ = false;  // closed at the next timer tick, not to be given out
};

}  // namespace upstream
