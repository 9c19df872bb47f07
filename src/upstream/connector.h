// Connector: how connections to backends come into being. NetworkConnector uses sockets and TLS;
// tests have one of their own.
//
// Nothing is read from a backend before its handshake ends: secure() takes the plain stream whole
// and gives back only the encrypted one, so bytes that came in the clear have no way out.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/result.h"
#include "io/event_loop.h"
#include "io/socket.h"
#include "io/stream.h"
#include "observe/counters.h"

namespace tls {
class ClientContext;
class TlsStream;
}  // namespace tls

namespace upstream {

/// TLS toward a backend. Connections are kept apart by the context's id and both names. Views and
/// context are the caller's until acquire has ended.
struct TlsTarget {
  tls::ClientContext* context = nullptr;
  std::uint64_t context_id = 0;
  std::string_view server_name;  // SNI; empty: none is sent
  std::string_view verify_name;  // what the certificate must name
};

/// `tls` points into `stream`; null for plain connections.
struct Transport {
  std::unique_ptr<io::Stream> stream;
  const tls::TlsStream* tls = nullptr;
};

/// A failed handshake. `sentence` says which check failed and what mends it; `directive` names the
/// directive to look at ("proxy_ssl_trusted_certificate"), empty when none would help; `counter` is
/// that of the check, beside those of all failures.
struct HandshakeFailure {
  base::Error error;
  std::string sentence;
  std::string_view directive;
  std::optional<observe::Counter> counter{};
};

class Connector {
 public:
  virtual ~Connector() = default;

  [[nodiscard]] virtual async::Task<base::Result<std::unique_ptr<io::Stream>>> connect(
      base::Address peer, base::Deadline deadline) = 0;
  /// The same, with the socket as the options say. Whoever has no sockets has no use for them.
  [[nodiscard]] virtual async::Task<base::Result<std::unique_ptr<io::Stream>>> connect_with(
      base::Address peer, io::ConnectOptions options, base::Deadline deadline);

  /// `session_key` names the endpoint, for sessions to be resumed.
  [[nodiscard]] virtual async::Task<std::expected<Transport, HandshakeFailure>> secure(
      std::unique_ptr<io::Stream> plain, TlsTarget target, std::string session_key,
      base::Deadline deadline) = 0;
};

class NetworkConnector final : public Connector {
 public:
  explicit NetworkConnector(io::EventLoop& loop) noexcept : loop_(loop) {}

  [[nodiscard]] async::Task<base::Result<std::unique_ptr<io::Stream>>> connect(
      base::Address peer, base::Deadline deadline) override;
  [[nodiscard]] async::Task<base::Result<std::unique_ptr<io::Stream>>> connect_with(
      base::Address peer, io::ConnectOptions options, base::Deadline deadline) override;
  [[nodiscard]] async::Task<std::expected<Transport, HandshakeFailure>> secure(
      std::unique_ptr<io::Stream> plain, TlsTarget target, std::string session_key,
      base::Deadline deadline) override;

 private:
  io::EventLoop& loop_;
};

}  // namespace upstream
