// Lease: a connection to a backend, checked out for one request. It must not outlive its cluster.
//
//   CO: auto lease = co_await cluster.acquire(&attempts, target);   // Acquired
//   ...write the request, read the answer on lease->stream()...
//   lease->report(Outcome::success);      // a head arrived and is no failure
//   lease->release_for_reuse();           // both messages ended, nothing is left over
//
// Destroying it closes the connection. What was not reported by then is unproven.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/address.h"
#include "io/stream.h"
#include "upstream/connection.h"
#include "upstream/peer.h"

namespace upstream {

class Cluster;

class Lease {
 public:
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  [[nodiscard]] io::Stream& stream() const noexcept { return connection_->stream(); }
  /// Facts of the handshake; null when the connection is plain.
  [[nodiscard]] const tls::TlsStream* tls() const noexcept { return connection_->tls(); }
  /// It has served a request before: the peer may have closed it without having seen this one.
  [[nodiscard]] bool reused() const noexcept { return reused_; }
  /// Requests that it served before this one.
  [[nodiscard]] std::uint64_t requests() const noexcept { return connection_->requests; }
  [[nodiscard]] const base::Address& address() const noexcept { return peer_->address; }
  /// "127.0.0.1:8080": for logs and $upstream_addr.
  [[nodiscard]] const std::string& peer_name() const noexcept { return peer_->name; }

  /// Once; later calls do nothing. True when it put the endpoint out of service.
  bool report(Outcome outcome) noexcept;

  /// Gives the connection back for the next request. The lease is then empty.
  void release_for_reuse();
  /// Closes the connection. The lease is then empty.
  void close() noexcept;
  [[nodiscard]] bool empty() const noexcept { return cluster_ == nullptr; }

 private:
  friend class Cluster;
  Lease(Cluster& cluster, PeerGroup& group, Peer& peer) noexcept;

  Cluster* cluster_;
  PeerGroup* group_;
  Peer* peer_;
  std::unique_ptr<Connection> connection_;
  bool reused_ = false;
  bool reported_ = false;
};

}  // namespace upstream
