#include <openssl/async.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/check.h"
#include "base/text.h"

#include "tls/connection.h"

namespace tls {
namespace {

using Connection = TlsStream::Connection;
using base::Error;
using base::ErrorCode;

thread_local HandshakePause* running_handshake = nullptr;

/// The coroutine's wait for a paused job to be woken.
class JobWait final : public async::Cancellable, public io::Timer {
 public:
  JobWait(Connection& connection, base::Deadline deadline) noexcept
      : connection_(connection), deadline_(deadline) {}

  [[nodiscard]] bool await_ready() const noexcept { return connection_.woken; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    async::Scope* scope = self.promise().scope;
    if (scope != nullptr && !scope->enlist(*this, async::Scope::Waiting::busy)) {
      result_ = base::fail(ErrorCode::cancelled);
      return false;
    }
    connection_.pause_waiter = self;
    if (deadline_ != base::kNoDeadline) connection_.loop.timers().set(*this, deadline_);
    return true;
  }
  [[nodiscard]] base::Result<void> await_resume() noexcept {
    connection_.woken = false;
    return result_;
  }
  void cancel() noexcept override { end(ErrorCode::cancelled); }
  void on_timer() noexcept override { end(ErrorCode::timed_out); }

 private:
  void end(ErrorCode code) noexcept {
    result_ = base::fail(code);
    Timer::unlink();
    Cancellable::unlink();
    connection_.wake();
  }

  Connection& connection_;
  base::Deadline deadline_;
  base::Result<void> result_;
};

// The host_name of a server_name extension (RFC 6066 §3), lower-cased, without the final dot.
// Nothing: malformed.
std::optional<std::string> parse_server_name(std::span<const unsigned char> extension) {
  constexpr std::size_t kHead = 5;  // list size (2), type (1), name size (2)
  if (extension.size() <= kHead) return std::nullopt;
  const auto number = [&](std::size_t at) {
    return std::size_t{extension[at]} << 8U | extension[at + 1];
  };
  const auto name = extension.subspan(kHead);
  if (number(0) != extension.size() - 2 || extension[2] != TLSEXT_NAMETYPE_host_name ||
      number(3) != name.size() || name.size() > TLSEXT_MAXLEN_host_name) {
    return std::nullopt;
  }
  std::string text;
  for (const unsigned char c : name) {
    if (c <= ' ' || c >= 0x7f) return std::nullopt;
    text += base::to_lower(static_cast<char>(c));
  }
  if (text.ends_with('.')) text.pop_back();
  return text;
}

// Sessions are good at servers with the same policy and the same keys only: who resumes one has not
// seen a certificate since (threats.md #15).
void bind_sessions(SSL* ssl, KeyId scope, std::span<const CertificatePtr> certificates) {
  for (const CertificatePtr& certificate : certificates) {
    std::ranges::transform(scope, certificate->key_id(), scope.begin(), std::bit_xor<>());
  }
  SSL_set_session_id_context(ssl, scope.data(), static_cast<unsigned int>(scope.size()));
}

}  // namespace

std::uint64_t count_records(std::span<const char> bytes) noexcept {
  std::uint64_t count = 0;
  for (std::size_t size = RecordLayer::size_of_first(bytes); size != 0 && size <= bytes.size();
       size = RecordLayer::size_of_first(bytes)) {
    bytes = bytes.subspan(size);
    ++count;
  }
  return count;
}

HandshakePause* HandshakePause::current() noexcept {
  return ASYNC_get_current_job() != nullptr ? running_handshake : nullptr;
}

void Connection::pause() noexcept { ASYNC_pause_job(); }

void Connection::wake() noexcept {
  woken = true;
  if (pause_waiter) loop.executor().post(std::exchange(pause_waiter, nullptr));
}

// Decides by the ClientHello which server is spoken to. Runs between two steps of the handshake and
// so on the normal stack, before any job.
void Connection::select_server() {
  const unsigned char* extension = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl.get(), TLSEXT_TYPE_server_name, &extension, &size) == 1) {
    auto name = parse_server_name(std::span(extension, size));
    if (!name) {
      choice = Choice::malformed;
      return;
    }
    sni = *std::move(name);
  }
  const Selection selection = handshake->source->select(sni);
  if (selection.context == nullptr) {
    choice = Choice::refused;
    library.count(observe::Counter::handshakes_rejected);
    return;
  }
  switch_policy(ssl.get(), *server_state, *selection.context->state());
  server_state = selection.context->state();
  // OpenSSL must be asked for early data from the first call on, before the name is known.
  if (!handshake->may_be_early) SSL_set_max_early_data(ssl.get(), 0);
  bind_sessions(ssl.get(), server_state->scope, selection.certificates);
  auto slot = handshake->certificates.begin();
  for (const CertificatePtr& certificate : selection.certificates) {
    if (slot != handshake->certificates.end()) *slot++ = library.parsed(certificate);
  }
  choice = Choice::made;
  if (library.signer.may_pause()) SSL_set_mode(ssl.get(), SSL_MODE_ASYNC);
}

// One step of the handshake. Early data that comes with it is added to `plain`.
int Connection::call_handshake(bool& got_early_data) noexcept {
  if (handshake && handshake->may_be_early) {
    thread_local std::array<char, kMostEarlyData> room;
    std::size_t count = 0;
    switch (SSL_read_early_data(ssl.get(), room.data(), room.size(), &count)) {
      case SSL_READ_EARLY_DATA_SUCCESS:
        plain.append(room.data(), count);
        got_early_data = true;
        return 1;
      case SSL_READ_EARLY_DATA_FINISH: handshake->may_be_early = false; break;
      default: return 0;
    }
  }
  return SSL_do_handshake(ssl.get());
}

// The client does not wait for the ticket in `unsent`, so it travels with the first answer, if that
// comes soon: one packet and one system call less.
void Connection::hold_ticket() noexcept {
  ticket_waits = true;
  loop.timers().set(ticket_timer, loop.now() + kTicketWait);
}

Connection::Step Connection::advance() noexcept {
  if (!unsent.empty() && !flush()) return Step::write;
  if (broken) return Step::failed;
  CHECK(gathered().empty());
  if (ERR_peek_error() != 0) ERR_clear_error();
  running_handshake = this;
  int result = 0;
  bool got_early_data = false;
  {
    const KeySchedule::Capture capture(*library.schedule,
                                       handshake ? &handshake->secrets : nullptr);
    result = call_handshake(got_early_data);
  }
  running_handshake = nullptr;
  if (got_early_data) {
    flush();
    return broken ? Step::failed : Step::early;
  }
  const int ssl_error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl.get(), result);
  job_pending = ssl_error == SSL_ERROR_WANT_ASYNC;
  // All that OpenSSL writes after the handshake of a TLS 1.3 server is the ticket, if it makes one.
  const bool ticket = result == 1 && role == Role::server && !gathered().empty() &&
                      unsent.empty() && SSL_version(ssl.get()) == TLS1_3_VERSION;
  if (result == 1 && handshake) handshake->records_sent += count_records(gathered());
  if (ticket) {
    unsent = std::exchange(gathered(), {});
    hold_ticket();
  }
  const bool flushed = ticket || flush();
  switch (ssl_error) {
    case SSL_ERROR_NONE:
      established = true;  // what is unsent (a ticket) leaves when the stream below can take it
      return Step::done;
    case SSL_ERROR_WANT_READ: return flushed ? Step::read : Step::write;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB: return Step::select;
    case SSL_ERROR_WANT_ASYNC: return Step::paused;
    case SSL_ERROR_WANT_ASYNC_JOB: break;  // only with a limit on jobs, which is not set
    default: break;
  }
  return handshake_failed(ssl_error);
}

Connection::Step Connection::handshake_failed(int ssl_error) noexcept {
  if (!plaintext.empty()) {
    ERR_clear_error();
    broken = Error{.code = ErrorCode::protocol, .context = TlsStream::kPlainHttpRequest};
  } else if (verify_failure) {
    ERR_clear_error();
    failure = verify_failure->sentence();
    broken =
        Error{.code = ErrorCode::untrusted, .context = "the backend's certificate is not trusted"};
  } else if (choice == Choice::refused) {
    ERR_clear_error();
    failure = "no server has the name \"" + sni + "\"";
    broken = Error{.code = ErrorCode::tls, .context = "unknown server name in SSL handshake"};
  } else if (lower_ended && !broken) {
    ERR_clear_error();
    broken = Error{.code = ErrorCode::end_of_stream,
                   .context = "peer closed connection in SSL handshake"};
  } else {
    fail_from_ssl("SSL_do_handshake() failed", ssl_error);
  }
  return Step::failed;
}

// A job cannot be taken from its stack: it is told to give up and runs to its end.
void Connection::end_pending_job() noexcept {
  given_up = true;
  while (job_pending) {
    woken = false;
    advance();
  }
}

async::Task<base::Result<void>> TlsStream::handshake(base::Deadline deadline) {
  Connection& connection = *connection_;
  while (true) {
    base::Result<void> waited;
    switch (connection.advance()) {
      case Connection::Step::done: connection.attach(); co_return base::Result<void>{};
      case Connection::Step::early: connection.begin_early(); co_return base::Result<void>{};
      case Connection::Step::failed: co_return std::unexpected(*connection.broken);
      case Connection::Step::select: connection.select_server(); continue;
      case Connection::Step::read:
        waited =
            co_await io::ready(*connection.lower, io::Direction::read, deadline, io::Waiting::busy);
        break;
      case Connection::Step::write:
        waited = co_await io::ready(*connection.lower, io::Direction::write, deadline,
                                    io::Waiting::busy);
        break;
      case Connection::Step::paused: waited = co_await JobWait(connection, deadline); break;
    }
    if (waited) continue;
    connection.end_pending_job();
    connection.broken = waited.error().during("SSL handshake");
    co_return std::unexpected(*connection.broken);
  }
}

}  // namespace tls
