#include "http/h2/stream.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "http/h2/connection.h"

namespace http::h2 {

using base::ErrorCode;
using io::Direction;

Stream::~Stream() {
  const std::size_t unread = incoming_.size() + given_.size();
  if (unread == 0) return;
  connection_.discharge(unread);
  connection_.session().consume(id_, unread);
}

io::EventLoop& Stream::loop() const noexcept { return connection_.loop(); }
bool Stream::is_early() const noexcept { return connection_.below().is_early(); }

// --- what the peer sends ---

void Stream::on_data(std::string_view data) noexcept {
  data_received_ += data.size();
  if (failed_) return connection_.session().consume(id_, data.size());
  if (expected_ && data_received_ > *expected_) {
    connection_.session().consume(id_, data.size());
    fail({.code = ErrorCode::protocol, .context = "the body is longer than its length"});
    return reset(Code::protocol_error, Because::peer);
  }
  if (data.size() > incoming_.writable().size()) {
    incoming_.compact();
    if (data.size() > incoming_.writable().size()) {
      incoming_.grow(std::max(incoming_.size() + data.size(), incoming_.capacity() * 2));
    }
  }
  incoming_.append(data);
  connection_.charge(data.size());
  touch();
}

void Stream::on_end() noexcept {
  if (failed_ || receive_ended_) return;
  if (expected_ && data_received_ != *expected_) {
    fail({.code = ErrorCode::protocol, .context = "the body is shorter than its length"});
    return reset(Code::protocol_error, Because::peer);
  }
  receive_ended_ = true;
  touch();
}

void Stream::release_given() noexcept {
  if (given_.empty()) return;
  connection_.discharge(given_.size());
  connection_.session().consume(id_, given_.size());
  connection_.wake_writer();
  given_.clear();
}

std::optional<base::Result<std::string_view>> Stream::take() noexcept {
  release_given();
  if (failed_) return base::fail(failure_);
  if (!incoming_.empty()) {
    std::swap(incoming_, given_);
    return given_.readable();
  }
  given_.release();
  incoming_.release();
  if (receive_ended_) return std::string_view{};
  return std::nullopt;
}

base::Result<std::size_t> Stream::try_read(std::span<char> into) noexcept {
  if (failed_) return base::fail(failure_);
  if (incoming_.empty()) {
    if (receive_ended_) return 0U;
    return base::fail(ErrorCode::would_block);
  }
  const std::string_view taken = incoming_.readable().substr(0, into.size());
  base::copy_bytes(taken, into);
  const std::size_t size = taken.size();
  incoming_.consume(size);
  if (incoming_.empty()) incoming_.release();
  connection_.discharge(size);
  connection_.session().consume(id_, size);
  connection_.wake_writer();
  return size;
}

// --- what is sent ---

bool Stream::offer(std::string_view piece, bool end) noexcept {
  if (!pending_.empty() || end_wanted_) return false;
  pending_ = piece;
  end_wanted_ = end;
  if (data_submitted_ && !send_failed()) connection_.session().resume(*this);
  return true;
}

void Stream::note_submitted(After after) noexcept {
  ++heads_queued_;
  if (after == After::data) data_submitted_ = true;
  if (after == After::nothing) end_wanted_ = true;
}

std::optional<Stream::Piece> Stream::next_piece(std::size_t most) noexcept {
  if (send_failed()) return std::nullopt;  // an end now would make it look whole
  if (pending_.empty() && !end_wanted_) {
    if (wants_room_) touch();
    return std::nullopt;
  }
  const std::size_t size = std::min(most, pending_.size());
  return Piece{.size = size, .end = end_wanted_ && size == pending_.size()};
}

std::string_view Stream::take_piece(std::size_t size, std::size_t frame, bool end) noexcept {
  const std::string_view taken = pending_.substr(0, size);
  pending_.remove_prefix(taken.size());
  bytes_sent_ += frame;
  end_sent_ = end_sent_ || end;
  touch();
  return taken;
}

void Stream::on_head_sent(bool end) noexcept {
  end_sent_ = end_sent_ || end;
  if (heads_queued_ > 0) --heads_queued_;
  touch();
}

// nghttp2 makes no frames of it: it is larger than it takes.
void Stream::on_head_not_sent() noexcept {
  if (failed_) return;
  reset(Code::internal_error, Because::own);
  fail({.code = ErrorCode::too_large, .context = "the header to be sent is too large"});
}

base::Result<std::size_t> Stream::try_write(std::span<const iovec> pieces) noexcept {
  if (send_failed()) return base::fail(failure_);
  if (!data_submitted_ || end_wanted_) {
    return base::fail(ErrorCode::reset, "our side of the HTTP/2 stream is not open");
  }
  std::size_t written = 0;
  std::size_t whole = 0;
  for (const iovec& piece : pieces) {
    ++whole;
    const std::string_view text(static_cast<const char*>(piece.iov_base), piece.iov_len);
    if (text.empty()) continue;
    const bool last = end_with_next_ && whole == pieces.size();
    if (!offer(text, last)) break;  // a sender's is on its way
    connection_.pump();
    const std::size_t left = pending_.size();
    written += text.size() - left;
    if (left == 0) continue;
    withdraw();
    end_wanted_ = false;  // it was not the last after all
    break;
  }
  if (send_failed()) return base::fail(failure_);
  if (written > 0) return written;
  wants_room_ = true;
  return base::fail(ErrorCode::would_block);
}

bool Stream::may_be_ready(Direction direction) const noexcept {
  if (failed_) return true;
  // An end that was asked for is written, too: a reset would overtake it (RFC 9113 §5.1).
  if (direction == Direction::write) {
    return send_failed_ || (!wants_room_ && (!is_ending() || end_sent_));
  }
  return has_unread() || receive_ended_;
}

void Stream::set_waiter(Direction direction, io::Waiter* waiter) noexcept {
  (direction == Direction::read ? reader_ : writer_) = waiter;
}

void Stream::shutdown_write() noexcept {
  if (send_failed() || end_wanted_) return;
  if (!data_submitted_) return reset(Code::cancel, Because::own);
  end_wanted_ = true;
  connection_.session().resume(*this);
  connection_.pump();
}

// --- its end ---

void Stream::abort() noexcept {
  if (end_sent_ && receive_ended_) return;
  reset(Code::internal_error, Because::own);
  fail({.code = ErrorCode::reset, .context = "the HTTP/2 stream was aborted"});
}

void Stream::reset(Code code, Because because) noexcept {
  if (closed_) return;
  reset_is_own_ = because == Because::own;
  withdraw();
  connection_.session().reset(id_, code);
  connection_.wake_writer();
}

void Stream::reset_after_end() noexcept {
  if (end_sent_) return reset(Code::no_error, Because::own);
  reset_after_end_ = true;  // tell_waiters()
}

void Stream::fail(const base::Error& error) noexcept {
  if (failed_) return;
  failed_ = true;
  failure_ = error;
  withdraw();
  if (!incoming_.empty()) {
    connection_.discharge(incoming_.size());
    connection_.session().consume(id_, incoming_.size());
    incoming_.clear();
  }
  incoming_.release();
  touch();
}

void Stream::fail_sending(const base::Error& error) noexcept {
  if (failed_ || send_failed_) return;
  send_failed_ = true;
  failure_ = error;
  withdraw();
  touch();
}

void Stream::on_closed(Code /*code*/) noexcept {
  closed_ = true;
  if (!(end_sent_ && receive_ended_) && !send_failed_) {
    fail({.code = ErrorCode::reset, .context = "the HTTP/2 stream was reset"});
  }
  touch();
}

void Stream::touch() noexcept { connection_.touch(*this); }

void Stream::tell_waiters() noexcept {
  if (end_sent_ && std::exchange(reset_after_end_, false)) reset(Code::no_error, Because::own);
  wants_room_ = false;
  if (writer_ != nullptr) writer_->on_ready();
  if (reader_ != nullptr) reader_->on_ready();
}

}  // namespace http::h2
