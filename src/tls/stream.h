// TlsStream: a Stream whose bytes travel encrypted over another Stream.
//
//   auto stream = TlsStream::server(std::move(tcp), context, source);
//   CO_TRY_VOID(co_await stream->handshake(deadline));    // then read and write as on any stream
//
// Writing: a try_write makes records of up to 16 KB from all pieces together (a head and the first
// bytes of its body are one record) and hands up to kBatch bytes of records down in one write. When
// that blocks, would_block is returned although the records exist: the next try_write must begin
// with the same bytes (write_all does), gets the rest out and then returns their number. So what
// try_write reported as taken has been taken by the stream below, and nothing is lost when this one
// is closed.
//
// Reading: records are read ahead (header and body in one call). Between exchanges a connection
// holds no buffer.
//
// Early data (TLS 1.3, where the policy takes it): handshake() returns as soon as some has come. It
// is read as any data, and answers are written at once; is_early() says so until the handshake has
// ended, which reading sees to.
//
// Renegotiation is refused; an end of the stream without close_notify is an end like any other
// (HTTP frames its messages; policies of higher floors decide on truncation with truncated()).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "async/task.h"
#include "io/stream.h"
#include "tls/client_context.h"
#include "tls/server_context.h"

namespace tls {

/// What variables show of a ClientHello.
struct ClientHelloTexts {
  std::string ciphers;  // "TLS_AES_256_GCM_SHA384:0x2a2a": OpenSSL's names, or numbers
  std::string groups;  // "X25519:prime256v1", likewise
  std::string signature_schemes;  // "ecdsa_secp256r1_sha256:0x1a1a": the IANA's names, likewise
  std::string ja4;
};

class TlsStream final : public io::Stream {
 public:
  /// `initial` gives the policy until a name is selected (the listener's default server); `source`
  /// must live until the handshake ends, contexts need not.
  [[nodiscard]] static std::unique_ptr<TlsStream> server(std::unique_ptr<io::Stream> lower,
                                                         ServerContext& initial,
                                                         CertificateSource& source);
  [[nodiscard]] static std::unique_ptr<TlsStream> client(std::unique_ptr<io::Stream> lower,
                                                         ClientContext& context,
                                                         ClientTarget target);
  ~TlsStream() override;

  /// Once, before anything else. Errors: timed_out, cancelled, reset, end_of_stream, tls (failure()
  /// says more), untrusted (verify_failure() says which check), protocol with context
  /// kPlainHttpRequest when the client speaks HTTP in the clear: take_plaintext() then.
  [[nodiscard]] async::Task<base::Result<void>> handshake(base::Deadline deadline);
  static constexpr std::string_view kPlainHttpRequest = "plain HTTP request";

  /// The stream below and what was read from it.
  struct Plaintext {
    std::unique_ptr<io::Stream> stream;
    std::string bytes;
  };
  [[nodiscard]] Plaintext take_plaintext();

  [[nodiscard]] base::Result<std::size_t> try_read(std::span<char> into) noexcept override;
  [[nodiscard]] base::Result<std::size_t> try_write(
      std::span<const iovec> pieces) noexcept override;
  [[nodiscard]] bool may_be_ready(io::Direction direction) const noexcept override;
  void set_waiter(io::Direction direction, io::Waiter* waiter) noexcept override;
  void end_with_next_write() noexcept override;
  void shutdown_write() noexcept override;
  void abort() noexcept override;
  [[nodiscard]] bool peer_closed() const noexcept override;
  [[nodiscard]] bool is_early() const noexcept override;
  [[nodiscard]] io::EventLoop& loop() const noexcept override;

  /// Facts, valid when the handshake has ended. Views live as long as the stream.
  [[nodiscard]] std::string_view protocol() const noexcept;  // "TLSv1.3"
  [[nodiscard]] std::string_view cipher() const noexcept;  // "TLS_AES_256_GCM_SHA384"
  [[nodiscard]] std::string_view alpn() const noexcept;  // "h2"; empty: none
  [[nodiscard]] std::string_view sni() const noexcept;  // as selected or sent; empty: none
  [[nodiscard]] std::string curve() const;  // "X25519"; empty: no key exchange
  [[nodiscard]] std::span<const std::uint8_t> session_id() const noexcept;
  /// What our certificate's key signed with; empty: nothing, since a session was resumed.
  [[nodiscard]] std::string_view signature_scheme() const noexcept;  // "ecdsa_secp256r1_sha256"
  /// Once, on the server's side; null unless the policy asks for it.
  [[nodiscard]] std::unique_ptr<ClientHelloTexts> take_client_hello() noexcept;
  [[nodiscard]] bool resumed() const noexcept;
  /// The server asked for a certificate, and this client had none to show.
  [[nodiscard]] bool certificate_missed() const noexcept;
  /// The peer's stream ended without close_notify.
  [[nodiscard]] bool truncated() const noexcept;
  /// Why the handshake or the connection failed, in nginx's words: "SSL_do_handshake() failed (SSL:
  /// error:0A0000C1:SSL routines::no shared cipher)". Empty: it did not.
  [[nodiscard]] std::string_view failure() const noexcept;
  [[nodiscard]] const VerifyFailure* verify_failure() const noexcept;

  static constexpr std::size_t kRecord = 16384;
  static constexpr std::size_t kBatch = 4 * kRecord;

  struct Connection;

 private:
  explicit TlsStream(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

}  // namespace tls
