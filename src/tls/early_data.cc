// A server's connection between its first early data and the end of its handshake (RFC 8446 §2.3,
// §4.2.10): what is read may be a replay; what is written goes out under the server's final keys.
#include "base/check.h"
#include "tls/connection.h"

namespace tls {

using base::ErrorCode;

void TlsStream::Connection::begin_early() {
  early = true;
  established = true;
  buffered = true;
  note_facts();
  library.count(observe::Counter::early_data_taken);
  record_size = RecordSize(server_state->policy.record_size, server_state->policy.adaptive_records);
  lower->set_waiter(io::Direction::read, &read_side);
  lower->set_waiter(io::Direction::write, &write_side);
}

base::Result<std::size_t> TlsStream::Connection::read_early(std::span<char> into) noexcept {
  while (plain.empty()) {
    const Step step = advance();
    // The session is resumed, so nothing is signed and no server selected any more.
    CHECK(step != Step::paused && step != Step::select);
    if (step == Step::early) continue;
    if (step == Step::failed) return base::fail(*broken);
    if (step != Step::done) {
      buffered = false;
      return base::fail(ErrorCode::would_block);
    }
    early = false;
    attach();
    return records ? read_records(into) : read_by_ssl(into);
  }
  const std::size_t count = take_plain(into);
  buffered = true;
  return count;
}

bool TlsStream::Connection::write_early(std::span<const char> content) noexcept {
  const std::size_t before = gathered().size();
  std::size_t count = 0;
  const int result = SSL_write_early_data(ssl.get(), content.data(), content.size(), &count);
  if (result != 1) {
    fail_from_ssl("SSL_write_early_data() failed", SSL_get_error(ssl.get(), result));
    return false;
  }
  CHECK(count == content.size());
  handshake->records_sent += count_records(std::span(gathered()).subspan(before));
  return true;
}

}  // namespace tls
