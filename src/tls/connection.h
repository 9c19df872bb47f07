// TlsStream::Connection: what a TlsStream is made of, shared by the files that implement it
// (stream.cc: reading and writing; handshake.cc; bio.cc: the way to the stream below).
//
// OpenSSL never meets a write that blocks: what it writes during one call is gathered in memory of
// the thread (`gather`) and handed down afterwards in one write; what the stream below does not
// take stays in `unsent`. So reading never waits for writing, nor the other way round, except that
// a peer who makes us answer without reading the answers (key updates) is not read from beyond
// kMaxReplies.
//
// A server's connection that speaks TLS 1.3 has `ssl` until its handshake has ended, then
// `records`; every other one has `ssl` throughout.
#pragma once

#include <coroutine>

#include "io/event_loop.h"
#include "tls/client_hello.h"
#include "tls/key_schedule.h"
#include "tls/openssl.h"
#include "tls/record_layer.h"
#include "tls/record_size.h"
#include "tls/stream.h"

namespace tls {

struct TlsStream::Connection final : HandshakePause {
  enum class Role : std::uint8_t { server, client };
  enum class Step : std::uint8_t { done, early, read, write, select, paused, failed };

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
  [[nodiscard]] int call_handshake(bool& got_early_data) noexcept;
  Step handshake_failed(int ssl_error) noexcept;
  void select_server();
  void end_pending_job() noexcept;

  // stream.cc
  void attach() noexcept;
  void note_facts();
  void leave_ticket() noexcept;
  void hold_ticket() noexcept;
  void settle_session() noexcept;
  void fail_from_ssl(std::string_view call, int ssl_error) noexcept;
  [[nodiscard]] base::Result<std::size_t> read_by_ssl(std::span<char> into) noexcept;
  [[nodiscard]] bool write_by_ssl(std::span<const char> content) noexcept;

  // early_data.cc
  void begin_early();
  [[nodiscard]] base::Result<std::size_t> read_early(std::span<char> into) noexcept;
  [[nodiscard]] bool write_early(std::span<const char> content) noexcept;

  /// Our close_notify, once.
  void end_in_order() noexcept;

  // records.cc
  [[nodiscard]] base::Result<std::size_t> read_records(std::span<char> into) noexcept;
  [[nodiscard]] bool write_record(std::span<const char> content) noexcept;
  std::size_t take_plain(std::span<char> into) noexcept;
  std::size_t open_records(std::span<char> bytes, std::span<char> into) noexcept;
  std::span<char> receive(std::span<char> into) noexcept;
  void fail_from_records(const RecordLayer::Failure& what) noexcept;

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

  /// A ticket does not wait for an answer that may never come: some clients ask for nothing before
  /// they have it.
  struct TicketTimer final : io::Timer {
    explicit TicketTimer(Connection& owner) noexcept : connection(owner) {}
    void on_timer() noexcept override {
      if (connection.ticket_waits) connection.flush();
    }
    Connection& connection;
  };
  static constexpr std::chrono::milliseconds kTicketWait{100};

  static constexpr std::size_t kMaxReplies = 4096;

  const Role role;
  std::unique_ptr<io::Stream> lower;
  io::EventLoop& loop;
  Library::State& library;
  SslPtr ssl;
  std::unique_ptr<RecordLayer> records;

  // Server
  std::shared_ptr<ServerContext::State> server_state;  // the initial one, then the selected one
  enum class Choice : std::uint8_t { open, made, refused, malformed } choice = Choice::open;
  struct Handshake {
    std::shared_ptr<ServerContext::State> initial_state;
    CertificateSource* source = nullptr;
    std::array<std::shared_ptr<const ParsedCertificate>, 3> certificates;
    ConnectionSecrets secrets;
    std::optional<ClientHello> hello;  // if the policy asks for it
    std::uint64_t records_sent = 0;  // under the server's application traffic secret
    bool may_be_early = false;  // until OpenSSL says that no early data follows
  };
  std::unique_ptr<Handshake> handshake;  // null on the client's side and after it
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
  bool established = false;  // OpenSSL says that it is over, or `early`
  bool early = false;  // early data is read, and answered, before the handshake has ended
  struct Facts {
    const char* cipher = "";
    std::string alpn;
    int group = NID_undef;
    std::array<std::uint8_t, SSL_MAX_SSL_SESSION_ID_LENGTH> session_id{};
    std::uint8_t session_id_size = 0;
    bool resumed = false;
    bool certificate_missed = false;
    const char* protocol = "";
    std::string_view signature_scheme;
  } facts;
  std::unique_ptr<ClientHelloTexts> client_hello;
  bool job_pending = false;  // an ASYNC job is paused
  bool given_up = false;
  bool woken = false;
  std::coroutine_handle<> pause_waiter;

  // Data
  Side read_side{*this, io::Direction::read};
  Side write_side{*this, io::Direction::write};
  io::Waiter* reader = nullptr;
  io::Waiter* writer = nullptr;
  // What was read from the stream below and not yet consumed: during a server's handshake, so that
  // OpenSSL takes no byte too many; of a record that is not whole, later.
  std::string inbox;
  std::string plain;  // decrypted by `records`, and not yet taken
  std::size_t plain_at = 0;
  std::string unsent;
  std::size_t unsent_at = 0;  // unsent[0, unsent_at) is gone
  std::size_t unsent_replies = 0;  // how many bytes reading has put into `unsent`
  RecordSize record_size;
  std::size_t taken = 0;  // bytes of a try_write whose records are (partly) in `unsent`
  std::optional<base::Error> broken;
  std::string failure;
  std::string sni;
  TicketTimer ticket_timer{*this};
  bool ticket_waits = false;  // `unsent` is a ticket that leaves with the first bytes of data
  bool buffered = false;  // OpenSSL holds bytes that a read can make progress with
  bool read_ended = false;
  bool lower_ended = false;  // the stream below ended while OpenSSL wanted more
  bool truncated = false;
  bool ends_with_next_write = false;
  bool close_notified = false;
  bool write_ended = false;
  bool aborted = false;
};

[[nodiscard]] inline TlsStream::Connection* connection_of(const SSL* ssl) noexcept {
  return static_cast<TlsStream::Connection*>(SSL_get_app_data(ssl));
}

/// How many records `bytes` are (handshake.cc).
[[nodiscard]] std::uint64_t count_records(std::span<const char> bytes) noexcept;

// hello_texts.cc
/// "X25519"; "0x11ec" where OpenSSL has no name; empty for none.
[[nodiscard]] std::string name_of_group(int group);
[[nodiscard]] std::string_view name_of_own_signature(const SSL* ssl) noexcept;
[[nodiscard]] ClientHelloTexts describe_hello(SSL* ssl, const ClientHello& hello);
/// Has the first ClientHello of `context`'s connections kept in their handshake.
void keep_client_hello(SSL_CTX* context) noexcept;

/// What OpenSSL wrote during the current call, on this thread.
[[nodiscard]] std::string& gathered() noexcept;

/// Makes `ssl` speak the policy of `to` instead of that of `from` (server_context.cc).
void switch_policy(SSL* ssl, const ServerContext::State& from, const ServerContext::State& to);

/// Prepares `connection.ssl` for `connection.target`: names, a session to resume
/// (client_context.cc).
[[nodiscard]] bool prepare_client(TlsStream::Connection& connection);
/// Of a client's connection (client_context.cc).
[[nodiscard]] const ClientPolicy& policy_of(const TlsStream::Connection& connection) noexcept;
/// Whom a client's connection accepts (client_verification.cc).
void set_verification(SSL_CTX* context, const ClientPolicy& policy);
/// What to do about a failed handshake with a backend, as the end of a sentence; empty: no advice.
[[nodiscard]] std::string_view advice_for_client(const TlsStream::Connection& connection,
                                                 unsigned long error) noexcept;
/// After a handshake that resumed.
void keep_renewed_session(TlsStream::Connection& connection);

}  // namespace tls
