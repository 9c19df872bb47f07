#include "tls/stream.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "tls/connection.h"
#include "tls/session_ticket.h"

namespace tls {
namespace {

using Connection = TlsStream::Connection;
using base::Error;
using base::ErrorCode;

// Cuts `pieces` into the contents of records: a large piece's own memory, small ones copied
// together.
class RecordCutter {
 public:
  explicit RecordCutter(std::span<const iovec> pieces) noexcept : pieces_(pieces) { skip_empty(); }

  [[nodiscard]] bool done() const noexcept { return pieces_.empty(); }

  /// At most `limit` bytes, which is not above kRecord. Good until the next call.
  [[nodiscard]] std::span<const char> next(std::size_t limit) noexcept {
    const auto first = rest_of_first();
    if (first.size() >= limit || pieces_.size() == 1) {
      const auto record = first.first(std::min(first.size(), limit));
      move_on(record.size());
      return record;
    }
    thread_local std::array<char, TlsStream::kRecord> scratch;
    const auto whole = std::span(scratch).first(limit);
    std::span<char> room = whole;
    while (!room.empty() && !done()) {
      const auto piece = rest_of_first();
      const std::size_t count = std::min(room.size(), piece.size());
      base::copy_bytes({piece.data(), count}, room);
      room = room.subspan(count);
      move_on(count);
    }
    return whole.first(whole.size() - room.size());
  }

 private:
  [[nodiscard]] std::span<const char> rest_of_first() const noexcept {
    const iovec& piece = pieces_.front();
    return std::span(static_cast<const char*>(piece.iov_base), piece.iov_len).subspan(at_);
  }
  void move_on(std::size_t count) noexcept {
    at_ += count;
    if (at_ == pieces_.front().iov_len) {
      pieces_ = pieces_.subspan(1);
      at_ = 0;
      skip_empty();
    }
  }
  void skip_empty() noexcept {
    while (!pieces_.empty() && pieces_.front().iov_len == 0) pieces_ = pieces_.subspan(1);
  }

  std::span<const iovec> pieces_;
  std::size_t at_ = 0;
};

}  // namespace

Connection::Connection(Role which, std::unique_ptr<io::Stream> below, Library::State& used_library)
    : role(which), lower(std::move(below)), loop(lower->loop()), library(used_library) {}

Connection::~Connection() {
  CHECK(!job_pending);
  if (!lower) return;
  if (established && !aborted && !broken && !write_ended) {
    end_in_order();
    flush();
  }
  settle_session();
  lower->set_waiter(io::Direction::read, nullptr);
  lower->set_waiter(io::Direction::write, nullptr);
}

void Connection::attach() noexcept {
  note_facts();
  if (role == Role::client) keep_renewed_session(*this);
  if (handshake) {
    record_size =
        RecordSize(server_state->policy.record_size, server_state->policy.adaptive_records);
    if (SSL_version(ssl.get()) == TLS1_3_VERSION) {
      const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl.get());
      records =
          RecordLayer::make(library, SSL_CIPHER_get_protocol_id(cipher), handshake->secrets,
                            handshake->records_sent, server_state->policy.max_dataless_records);
      if (server_state->makes_ticket) leave_ticket();
      library.schedule->forget();
    }
    handshake.reset();
  }
  if (records) {
    settle_session();
    ssl.reset();
    buffered = !inbox.empty();
  } else {
    SSL_clear_mode(ssl.get(), SSL_MODE_ASYNC);
    SSL_set_read_ahead(ssl.get(), 1);
    if (role == Role::server) SSL_certs_clear(ssl.get());  // sent, and needed by nothing else
    buffered = !inbox.empty() || SSL_has_pending(ssl.get()) == 1;
  }
  lower->set_waiter(io::Direction::read, &read_side);
  lower->set_waiter(io::Direction::write, &write_side);
}

void Connection::leave_ticket() noexcept {
  if (!records) {
    SSL_new_session_ticket(ssl.get());  // OpenSSL's, then
    return;
  }
  const auto ticket =
      make_new_session_ticket(ssl.get(), *server_state, handshake->secrets.resumption);
  if (!ticket) {
    ERR_clear_error();
    return;
  }
  facts.session_id = ticket->id;
  facts.session_id_size = NewSessionTicket::kIdSize;
  if (records->write_handshake(ticket->message, unsent)) hold_ticket();
}

// OpenSSL would take a session for bad whose connection ends without close_notify. For TLS 1.2 a
// failure of TLS itself makes it one (RFC 5246 §7.2.2).
void Connection::settle_session() noexcept {
  if (!established) return;
  if (ssl) SSL_set_shutdown(ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  if (!broken || !broken->is(ErrorCode::tls) || !server_state || !server_state->sessions) return;
  const auto id = std::span(facts.session_id).first(facts.session_id_size);
  server_state->sessions->remove(SessionCache::Id(id.begin(), id.end()));
}

void Connection::note_facts() {
  facts.protocol = SSL_get_version(ssl.get());
  if (const char* name = SSL_get_cipher_name(ssl.get())) facts.cipher = name;
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl.get(), &protocol, &size);
  if (size > 0) facts.alpn.assign(reinterpret_cast<const char*>(protocol), size);
  facts.group = static_cast<int>(SSL_get_negotiated_group(ssl.get()));
  if (const SSL_SESSION* session = SSL_get_session(ssl.get())) {
    const unsigned char* id = SSL_SESSION_get_id(session, &size);
    std::ranges::copy(std::span(id, size), facts.session_id.begin());
    facts.session_id_size = static_cast<std::uint8_t>(size);
  }
  facts.resumed = SSL_session_reused(ssl.get()) == 1;
  facts.signature_scheme = name_of_own_signature(ssl.get());
  if (handshake && handshake->hello) {
    client_hello = std::make_unique<ClientHelloTexts>(describe_hello(ssl.get(), *handshake->hello));
    handshake->hello.reset();  // with early data this function is called twice
  }
}

void Connection::end_in_order() noexcept {
  if (std::exchange(close_notified, true)) return;
  if (records) {
    records->write_alert(Alert::close_notify, gathered());
  } else {
    SSL_shutdown(ssl.get());
    ERR_clear_error();
  }
}

void Connection::on_lower_ready(io::Direction direction) noexcept {
  if (direction == io::Direction::read) {
    if (reader != nullptr) reader->on_ready();
    return;
  }
  if (writer == nullptr && !unsent.empty() && !ticket_waits) flush();
  if (writer != nullptr) writer->on_ready();
  if (reader != nullptr) reader->on_ready();  // it may have been held back
}

void Connection::fail_from_ssl(std::string_view call, int ssl_error) noexcept {
  const unsigned long error = ERR_peek_error();
  const std::string text = take_error_text();
  if (broken) return;  // the stream below said why
  failure = text.empty() ? fmt::format("{} (SSL error {})", call, ssl_error)
                         : fmt::format("{} (SSL: {})", call, text);
  if (role == Role::client) failure += advice_for_client(*this, error);
  broken = Error{.code = ErrorCode::tls,
                 .context = established ? "SSL connection failed" : "SSL handshake failed"};
}

TlsStream::TlsStream(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
TlsStream::~TlsStream() = default;

std::unique_ptr<TlsStream> TlsStream::server(std::unique_ptr<io::Stream> lower,
                                             ServerContext& initial, CertificateSource& source) {
  ServerContext::State& state = *initial.state();
  auto connection =
      std::make_unique<Connection>(Connection::Role::server, std::move(lower), state.library);
  connection->server_state = initial.state();
  connection->handshake = std::make_unique<Connection::Handshake>();
  connection->handshake->initial_state = initial.state();
  connection->handshake->source = &source;
  connection->handshake->may_be_early = state.policy.early_data;
  connection->make_ssl(state.context.get());
  SSL_set_accept_state(connection->ssl.get());
  return std::unique_ptr<TlsStream>(new TlsStream(std::move(connection)));
}

TlsStream::Plaintext TlsStream::take_plaintext() {
  Connection& connection = *connection_;
  CHECK(!connection.job_pending && connection.lower);
  connection.lower->set_waiter(io::Direction::read, nullptr);
  connection.lower->set_waiter(io::Direction::write, nullptr);
  return {.stream = std::move(connection.lower), .bytes = std::move(connection.plaintext)};
}

base::Result<std::size_t> Connection::read_by_ssl(std::span<char> into) noexcept {
  std::size_t total = 0;
  while (total < into.size()) {
    const auto room = into.subspan(total);
    std::size_t count = 0;
    CHECK(gathered().empty());
    const int result = SSL_read_ex(ssl.get(), room.data(), room.size(), &count);
    const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl.get(), result);
    if (!gathered().empty()) send_replies();
    total += count;
    buffered = error == SSL_ERROR_NONE && SSL_has_pending(ssl.get()) == 1;
    if (error == SSL_ERROR_NONE) {
      if (buffered || lower->may_be_ready(io::Direction::read)) continue;
    } else if (error == SSL_ERROR_ZERO_RETURN && !broken) {
      read_ended = true;
      truncated = lower_ended;
    } else if (error != SSL_ERROR_WANT_READ) {
      fail_from_ssl("SSL_read() failed", error);
    }
    break;
  }
  if (total > 0) return total;
  if (read_ended) return 0U;
  return broken ? base::fail(*broken) : base::fail(ErrorCode::would_block);
}

bool Connection::write_by_ssl(std::span<const char> content) noexcept {
  std::size_t count = 0;
  const int result = SSL_write_ex(ssl.get(), content.data(), content.size(), &count);
  if (result == 1) {
    CHECK(count == content.size());
    return true;
  }
  fail_from_ssl("SSL_write() failed", SSL_get_error(ssl.get(), result));
  return false;
}

base::Result<std::size_t> TlsStream::try_read(std::span<char> into) noexcept {
  Connection& c = *connection_;
  if (c.read_ended && c.plain.empty()) return 0U;
  if (c.broken) return base::fail(*c.broken);
  if (!c.established) return base::fail(ErrorCode::would_block);
  if (c.held_back() && !c.flush()) return base::fail(ErrorCode::would_block);
  if (c.early) return c.read_early(into);
  return c.records ? c.read_records(into) : c.read_by_ssl(into);
}

base::Result<std::size_t> TlsStream::try_write(std::span<const iovec> pieces) noexcept {
  Connection& c = *connection_;
  if (c.broken) return base::fail(*c.broken);
  if (c.write_ended) return base::fail(ErrorCode::reset, "writing after the end");
  if (!c.established || (!c.unsent.empty() && !c.ticket_waits && !c.flush()))
    return base::fail(ErrorCode::would_block);
  if (c.broken) return base::fail(*c.broken);
  if (c.taken > 0) return std::exchange(c.taken, 0);

  CHECK(gathered().empty());
  std::size_t total = 0;
  RecordCutter cutter(pieces);
  RecordSize& records_sent = c.record_size;
  records_sent.begin(c.loop.now());
  while (!cutter.done() && total < kBatch) {
    const auto content = cutter.next(records_sent.limit());
    if (!(c.records ? c.write_record(content)
          : c.early ? c.write_early(content)
                    : c.write_by_ssl(content))) {
      gathered().clear();
      return base::fail(*c.broken);
    }
    total += content.size();
    records_sent.add(content.size());
  }
  if (c.ends_with_next_write && cutter.done() && !c.early) c.end_in_order();
  if (c.flush()) {
    if (c.broken) return base::fail(*c.broken);
    return total;
  }
  c.taken = total;
  return base::fail(ErrorCode::would_block);
}

bool TlsStream::may_be_ready(io::Direction direction) const noexcept {
  const Connection& c = *connection_;
  if (c.broken || !c.lower) return true;
  if (direction == io::Direction::write) return c.lower->may_be_ready(io::Direction::write);
  if (c.read_ended || c.buffered) return true;
  if (c.held_back() && !c.lower->may_be_ready(io::Direction::write)) return false;
  return c.lower->may_be_ready(io::Direction::read);
}

void TlsStream::set_waiter(io::Direction direction, io::Waiter* waiter) noexcept {
  (direction == io::Direction::read ? connection_->reader : connection_->writer) = waiter;
}

void TlsStream::end_with_next_write() noexcept { connection_->ends_with_next_write = true; }

void TlsStream::shutdown_write() noexcept {
  Connection& c = *connection_;
  if (!c.lower || c.write_ended) return;
  c.write_ended = true;
  if (c.established && !c.broken) {
    c.end_in_order();
    c.flush();
  }
  c.lower->shutdown_write();
}

void TlsStream::abort() noexcept {
  connection_->aborted = true;
  if (connection_->lower) connection_->lower->abort();
}

// A close_notify that came without the end of the stream below counts only once it is read.
bool TlsStream::peer_closed() const noexcept {
  return connection_->lower != nullptr && connection_->lower->peer_closed();
}

bool TlsStream::is_early() const noexcept { return connection_->early; }

io::EventLoop& TlsStream::loop() const noexcept { return connection_->loop; }

std::string_view TlsStream::protocol() const noexcept { return connection_->facts.protocol; }
std::string_view TlsStream::cipher() const noexcept { return connection_->facts.cipher; }
std::string_view TlsStream::alpn() const noexcept { return connection_->facts.alpn; }
std::string_view TlsStream::sni() const noexcept { return connection_->sni; }

std::string TlsStream::curve() const { return name_of_group(connection_->facts.group); }
std::span<const std::uint8_t> TlsStream::session_id() const noexcept {
  const Connection::Facts& facts = connection_->facts;
  return std::span(facts.session_id).first(facts.session_id_size);
}
std::string_view TlsStream::signature_scheme() const noexcept {
  return connection_->facts.signature_scheme;
}
std::unique_ptr<ClientHelloTexts> TlsStream::take_client_hello() noexcept {
  return std::move(connection_->client_hello);
}

bool TlsStream::resumed() const noexcept { return connection_->facts.resumed; }
bool TlsStream::truncated() const noexcept { return connection_->truncated; }
std::string_view TlsStream::failure() const noexcept { return connection_->failure; }
bool TlsStream::certificate_missed() const noexcept {
  return connection_->facts.certificate_missed;
}
const VerifyFailure* TlsStream::verify_failure() const noexcept {
  return connection_->verify_failure.get();
}

}  // namespace tls
