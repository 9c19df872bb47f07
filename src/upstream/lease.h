// Lease: a connection to a backend, checked out for one request. It must not outlive its cluster.
//
//   CO: auto lease = co_await cluster.acquire(&attempts, target);   // Acquired
//   ...write the request, read the answer on lease->stream()...
//   lease->report(Outcome::success);      // a head arrived and is no failure
//   lease->release_for_reuse();           // both messages ended, nothing is left over
//
// Destroying it closes the connection. What was not reported by then is unproven.
//
// Over HTTP/2 it is a place on a connection that others have places on: open() gives the exchange,
// which must be gone before the lease ends, and nothing closes the connection for the others.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/arena.h"
#include "http/client_exchange.h"
#include "http/h2/response_limits.h"
#include "io/stream.h"
#include "upstream/connection.h"
#include "upstream/peer.h"

namespace upstream {

class Cluster;
class SharedConnection;

class Lease {
 public:
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  /// Of a connection that is not shared.
  [[nodiscard]] io::Stream& stream() const noexcept { return connection_->stream(); }
  [[nodiscard]] bool is_shared() const noexcept { return shared_ != nullptr; }
  /// The request's place on a shared connection.
  [[nodiscard]] std::unique_ptr<http::ClientExchange> open(http::Method method, base::Arena& arena,
                                                           const http::h2::ResponseLimits& limits);
  /// Facts of the handshake; null when the connection is plain.
  [[nodiscard]] const tls::TlsStream* tls() const noexcept;
  /// It has served a request before: the peer may have closed it without having seen this one.
  [[nodiscard]] bool reused() const noexcept { return reused_; }
  /// Requests that it served before this one.
  [[nodiscard]] std::uint64_t requests() const noexcept;
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
  std::shared_ptr<SharedConnection> shared_;  // or this
  bool reused_ = false;
  bool reported_ = false;
};

}  // namespace upstream
