// The BIO between OpenSSL and the stream below.
#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/text.h"
#include "tls/connection.h"

namespace tls {
namespace {

using Connection = TlsStream::Connection;

Connection& connection_of_bio(BIO* bio) { return *static_cast<Connection*>(BIO_get_data(bio)); }

// A TLS record begins with 20..23; a request in the clear with a method in capitals.
bool looks_like_http(std::string_view bytes) {
  const auto method = bytes.substr(0, bytes.find(' '));
  return !method.empty() &&
         std::ranges::all_of(method, [](char c) { return c >= 'A' && c <= 'Z'; });
}

// Until a server's handshake has ended, OpenSSL is given no more than it asks for, and the rest
// waits in the inbox: what follows the handshake may be for somebody else.
constexpr std::size_t kHandshakeRead = 8192;

base::Result<std::size_t> read_below(Connection& connection, std::span<char> into) {
  std::string& inbox = connection.inbox;
  thread_local std::array<char, kHandshakeRead> scratch;
  if (inbox.empty()) {
    const bool hold = connection.handshake != nullptr;
    const auto room = hold ? std::span<char>(scratch) : into;
    const auto count = connection.lower->try_read(room);
    if (!count || *count == 0) return count;
    if (!connection.peeked) {
      connection.peeked = true;
      const std::string_view bytes(room.data(), *count);
      if (connection.role == Connection::Role::server && looks_like_http(bytes)) {
        connection.plaintext = bytes;
        return base::fail(base::ErrorCode::protocol);
      }
    }
    if (!hold) return count;
    inbox.assign(scratch.data(), *count);
  }
  const std::size_t taken = std::min(into.size(), inbox.size());
  base::copy_bytes(std::string_view(inbox).substr(0, taken), into);
  if (taken == inbox.size()) {
    std::string().swap(inbox);
  } else {
    inbox.erase(0, taken);
  }
  return taken;
}

int bio_read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  Connection& connection = connection_of_bio(bio);
  if (size <= 0 || !connection.lower || connection.broken) return -1;
  const auto count = read_below(connection, std::span(into, static_cast<std::size_t>(size)));
  if (!count) {
    if (count.error().is(base::ErrorCode::would_block)) {
      BIO_set_retry_read(bio);
    } else if (connection.plaintext.empty()) {
      connection.broken = count.error();
    }
    return -1;
  }
  if (*count == 0) connection.lower_ended = true;
  return static_cast<int>(*count);
}

int bio_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  if (size <= 0) return 0;
  gathered().append(bytes, static_cast<std::size_t>(size));
  return size;
}

long bio_control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return connection_of_bio(bio).lower_ended ? 1 : 0;
    default: return 0;
  }
}

BIO_METHOD* bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sallyport stream");
    CHECK(made != nullptr);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

}  // namespace

std::string& gathered() noexcept {
  thread_local std::string bytes;
  return bytes;
}

void TlsStream::Connection::make_ssl(SSL_CTX* context) {
  ssl.reset(SSL_new(context));
  BIO* bio = BIO_new_ex(library.context.get(), bio_method());
  CHECK(ssl != nullptr && bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_app_data(ssl.get(), this);
  SSL_set_read_ahead(ssl.get(), role == Role::client ? 1 : 0);
}

bool TlsStream::Connection::flush() noexcept {
  ticket_waits = false;
  ticket_timer.unlink();
  std::string& gather = gathered();
  const bool queueing = !unsent.empty();
  if (queueing) {
    unsent += gather;
    gather.clear();
  }
  std::string& source_bytes = queueing ? unsent : gather;
  std::size_t at = queueing ? unsent_at : 0;
  while (at < source_bytes.size() && lower && !broken) {
    const iovec piece = io::piece_of(std::string_view(source_bytes).substr(at));
    const auto count = lower->try_write(std::span(&piece, 1));
    if (count) {
      at += *count;
    } else if (count.error().is(base::ErrorCode::would_block)) {
      break;
    } else {
      broken = count.error();
    }
  }
  const bool all = at >= source_bytes.size();
  if (all || broken || !lower) {
    if (queueing) std::string().swap(unsent);
    unsent_at = 0;
  } else if (queueing) {
    unsent_at = at;
  } else {
    unsent.assign(gather, at);
    unsent_at = 0;
  }
  gather.clear();
  if (!unsent.empty()) return false;
  unsent_replies = 0;
  return true;
}

void TlsStream::Connection::send_replies() noexcept {
  const std::size_t size = gathered().size();
  if (!flush()) unsent_replies += size;
}

}  // namespace tls
