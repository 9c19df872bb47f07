#include "tls/stream.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "tls/connection.h"

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

  [[nodiscard]] std::span<const char> next() noexcept {
    const auto first = rest_of_first();
    if (first.size() >= TlsStream::kRecord || pieces_.size() == 1) {
      const auto record = first.first(std::min(first.size(), TlsStream::kRecord));
      move_on(record.size());
      return record;
    }
    thread_local std::array<char, TlsStream::kRecord> scratch;
    std::span<char> room(scratch);
    while (!room.empty() && !done()) {
      const auto piece = rest_of_first();
      const std::size_t count = std::min(room.size(), piece.size());
      base::copy_bytes({piece.data(), count}, room);
      room = room.subspan(count);
      move_on(count);
    }
    return std::span(scratch).first(scratch.size() - room.size());
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
    SSL_shutdown(ssl.get());
    flush();
    ERR_clear_error();
  }
  lower->set_waiter(io::Direction::read, nullptr);
  lower->set_waiter(io::Direction::write, nullptr);
}

void Connection::attach() noexcept {
  SSL_clear_mode(ssl.get(), SSL_MODE_ASYNC);
  certificates = {};
  source = nullptr;
  if (role == Role::client) keep_renewed_session(*this);
  if (role == Role::server) SSL_certs_clear(ssl.get());  // sent, and needed by nothing else
  buffered = SSL_has_pending(ssl.get()) == 1;
  lower->set_waiter(io::Direction::read, &read_side);
  lower->set_waiter(io::Direction::write, &write_side);
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
  const std::string text = take_error_text();
  if (broken) return;  // the stream below said why
  failure = text.empty() ? fmt::format("{} (SSL error {})", call, ssl_error)
                         : fmt::format("{} (SSL: {})", call, text);
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
  connection->initial_state = connection->server_state = initial.state();
  connection->source = &source;
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

base::Result<std::size_t> TlsStream::try_read(std::span<char> into) noexcept {
  Connection& c = *connection_;
  if (c.read_ended) return 0U;
  if (c.broken) return base::fail(*c.broken);
  if (!c.established) return base::fail(ErrorCode::would_block);
  if (c.held_back() && !c.flush()) return base::fail(ErrorCode::would_block);
  std::size_t total = 0;
  while (total < into.size()) {
    const auto room = into.subspan(total);
    std::size_t count = 0;
    CHECK(gathered().empty());
    const int result = SSL_read_ex(c.ssl.get(), room.data(), room.size(), &count);
    const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(c.ssl.get(), result);
    if (!gathered().empty()) c.send_replies();
    total += count;
    c.buffered = error == SSL_ERROR_NONE && SSL_has_pending(c.ssl.get()) == 1;
    if (error == SSL_ERROR_NONE) {
      if (c.buffered || c.lower->may_be_ready(io::Direction::read)) continue;
    } else if (error == SSL_ERROR_ZERO_RETURN && !c.broken) {
      c.read_ended = true;
      c.truncated = c.lower_ended;
    } else if (error != SSL_ERROR_WANT_READ) {
      c.fail_from_ssl("SSL_read() failed", error);
    }
    break;
  }
  if (total > 0) return total;
  if (c.read_ended) return 0U;
  return c.broken ? base::fail(*c.broken) : base::fail(ErrorCode::would_block);
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
  while (!cutter.done() && total < kBatch) {
    const auto content = cutter.next();
    std::size_t count = 0;
    const int result = SSL_write_ex(c.ssl.get(), content.data(), content.size(), &count);
    if (result != 1) {
      c.fail_from_ssl("SSL_write() failed", SSL_get_error(c.ssl.get(), result));
      gathered().clear();
      return base::fail(*c.broken);
    }
    CHECK(count == content.size());
    total += count;
  }
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

void TlsStream::shutdown_write() noexcept {
  Connection& c = *connection_;
  if (!c.lower || c.write_ended) return;
  c.write_ended = true;
  if (c.established && !c.broken) {
    SSL_shutdown(c.ssl.get());
    ERR_clear_error();
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

io::EventLoop& TlsStream::loop() const noexcept { return connection_->loop; }

std::string_view TlsStream::protocol() const noexcept {
  return SSL_get_version(connection_->ssl.get());
}
std::string_view TlsStream::cipher() const noexcept {
  const char* name = SSL_get_cipher_name(connection_->ssl.get());
  return name == nullptr ? "" : name;
}
std::string_view TlsStream::alpn() const noexcept {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(connection_->ssl.get(), &name, &size);
  return size == 0 ? "" : std::string_view(reinterpret_cast<const char*>(name), size);
}
std::string_view TlsStream::sni() const noexcept { return connection_->sni; }

std::string TlsStream::curve() const {
  SSL* ssl = connection_->ssl.get();
  const int group = static_cast<int>(SSL_get_negotiated_group(ssl));
  if (group == NID_undef) return {};
  if ((group & TLSEXT_nid_unknown) != 0) return fmt::format("0x{:04x}", group & 0xffff);
  const char* name = OBJ_nid2sn(group);
  return name == nullptr ? "" : name;
}

std::string TlsStream::session_id() const {
  const SSL_SESSION* session = SSL_get_session(connection_->ssl.get());
  if (session == nullptr) return {};
  unsigned int size = 0;
  const unsigned char* id = SSL_SESSION_get_id(session, &size);
  std::string text;
  for (const unsigned char byte : std::span(id, size)) {
    fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  }
  return text;
}

bool TlsStream::resumed() const noexcept { return SSL_session_reused(connection_->ssl.get()) == 1; }
bool TlsStream::truncated() const noexcept { return connection_->truncated; }
std::string_view TlsStream::failure() const noexcept { return connection_->failure; }
const VerifyFailure* TlsStream::verify_failure() const noexcept {
  return connection_->verify_failure.get();
}

}  // namespace tls
