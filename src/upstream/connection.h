// Connection: an open connection to a peer, in a Lease or idle in a Pool. One allocation for its
// whole life; going from one to the other moves a pointer.
#pragma once

#include <cstdint>
#include <memory>

#include "io/stream.h"
#include "io/timers.h"
#include "upstream/connector.h"
#include "upstream/identity.h"

namespace upstream {

class Pool;

class Connection final : private io::Waiter, private io::Timer {
 public:
  Connection(Transport transport, const Identity& identity);

  [[nodiscard]] io::Stream& stream() const noexcept { return *transport_.stream; }
  [[nodiscard]] const tls::TlsStream* tls() const noexcept { return transport_.tls; }
  [[nodiscard]] std::uint32_t peer() const noexcept { return identity_.peer(); }
  [[nodiscard]] bool matches(const Identity& identity) const noexcept {
    return identity_.matches(identity);
  }

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
  OwnIdentity identity_;
  Pool* pool_ = nullptr;  // while idle
  base::TimePoint opened_at_;
  std::uint64_t age_ = 0;  // order of arrival in the pool
  base::TimePoint idle_since_{};
  bool doomed_ = false;  // closed at the next timer tick, not to be given out
};

}  // namespace upstream
