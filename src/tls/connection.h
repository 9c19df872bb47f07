// TlsStream::Connection: what a TlsStream is made of, shared by the files that implement it
// (stream.cc: reading and writing; handshake.cc; bio.cc: the way to the stream below).
//
// OpenSSL never meets a write that blocks: what it writes during one call is gathered in memory of
// the thread (`gather`) and handed down afterwards in one write; what the stream below does not
// take stays in `unsent`. So reading never waits for writing, nor the other way round, except that
// a peer who makes us answer without reading the answers (key updates) is not read from beyond
// kMaxUnsent.
#pragma once

#include <coroutine>

#include "tls/openssl.h"
#include "tls/stream.h"

namespace tls {

struct TlsStream::Connection final : HandshakePause {
  enum class Role : std::uint8_t { server, client };
  enum class Step : std::uint8_t { done, read, write, select, paused, failed };

  Connection(Role which, std::unique_ptr<io::Stream> below, Library::State& used_library);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // bio.cc
  void make_ssl(SSL_CTX* context);
  /// Hands down what was gathered and is unsent; true when nothing is left. Errors go to `broken`.
  bool flush() noexcept;
  /// flush() of what reading made OpenSSL write.
  void send_replies() noexcept;
  [[nodiscard]] bool held_back() const noexcept { return unsent_replies > kMaxReplies; }

  // handshake.cc
  Step advance() noexcept;
  Step handshake_failed(int ssl_error) noexcept;
  void select_server();
  void end_pending_job() noexcept;

  // stream.cc
  void attach() noexcept;
  void fail_from_ssl(std::string_view call, int ssl_error) noexcept;

  // HandshakePause
  void pause() noexcept override;
  [[nodiscard]] bool cancelled() const noexcept override { return given_up; }
  void wake() noexcept override;

  struct Side final : io::Waiter {
    explicit Side(Connection& owner, io::Direction which) noexcept
        : connection(owner), direction(which) {}
    void on_ready() noexcept override { connection.on_lower_ready(direction); }
    Connection& connection;
    io::Direction direction;
  };
  void on_lower_ready(io::Direction direction) noexcept;

  static constexpr std::size_t kMaxReplies = 4096;

  const Role role;
  std::unique_ptr<io::Stream> lower;
  io::EventLoop& loop;
  Library::State& library;
  SslPtr ssl;

  // Server
  std::shared_ptr<ServerContext::State> server_state;  // the initial one, then the selected one
  std::shared_ptr<ServerContext::State> initial_state;
  CertificateSource* source = nullptr;
  std::array<std::shared_ptr<const ParsedCertificate>, 3> certificates;
  enum class Choice : std::uint8_t { open, made, refused, malformed } choice = Choice::open;
  std::string plaintext;
  bool peeked = false;

  // Client
  std::shared_ptr<ClientContext::State> client_state;
  struct Client {
    ClientTarget target;
    std::string session_key;
  };
  std::unique_ptr<Client> client;  // null on the server's side, where memory counts most
  std::unique_ptr<VerifyFailure> verify_failure;

  // Handshake
  bool established = false;  // OpenSSL says that it is over
  bool job_pending = false;  // an ASYNC job is paused
  bool given_up = false;
  bool woken = false;
  std::coroutine_handle<> pause_waiter;

  // Data
  Side read_side{*this, io::Direction::read};
  Side write_side{*this, io::Direction::write};
  io::Waiter* reader = nullptr;
  io::Waiter* writer = nullptr;
  std::string unsent;
  std::size_t unsent_at = 0;  // unsent[0, unsent_at) is gone
  std::size_t unsent_replies = 0;  // how many bytes reading has put into `unsent`
  std::size_t taken = 0;  // bytes of a try_write whose records are (partly) in `unsent`
  std::optional<base::Error> broken;
  std::string failure;
  std::string sni;
  bool ticket_waits = false;  // `unsent` is a ticket that leaves with the first bytes of data
  bool buffered = false;  // OpenSSL holds bytes that a read can make progress with
  bool read_ended = false;
  bool lower_ended = false;  // the stream below ended while OpenSSL wanted more
  bool truncated = false;
  bool write_ended = false;
  bool aborted = false;
};

[[nodiscard]] inline TlsStream::Connection* connection_of(const SSL* ssl) noexcept {
  return static_cast<TlsStream::Connection*>(SSL_get_app_data(ssl));
}

/// What OpenSSL wrote during the current call, on this thread.
[[nodiscard]] std::string& gathered() noexcept;

/// Makes `ssl` speak the policy of `to` instead of that of `from` (server_context.cc).
void switch_policy(SSL* ssl, const ServerContext::State& from, const ServerContext::State& to);

/// Prepares `connection.ssl` for `connection.target`: names, a session to resume
/// (client_context.cc).
[[nodiscard]] bool prepare_client(TlsStream::Connection& connection);
/// After a handshake that resumed.
void keep_renewed_session(TlsStream::Connection& connection);

}  // namespace tls
