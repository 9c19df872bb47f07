#include "io/stream.h"

#include <algorithm>

#include "base/check.h"

namespace io {

bool StreamOperation::suspend(std::coroutine_handle<> self, async::Scope* scope) noexcept {
  if (scope != nullptr && !scope->enlist(*this, waiting_)) {
    store(base::Error{.code = base::ErrorCode::cancelled});
    return false;
  }
  handle_ = self;
  stream_.set_waiter(direction_, this);
  if (deadline_ != base::kNoDeadline) stream_.loop().timers().set(*this, deadline_);
  return true;
}

void StreamOperation::move_deadline(base::Deadline deadline) noexcept {
  deadline_ = deadline;
  if (handle_ != nullptr) stream_.loop().timers().set(*this, deadline_);
}

void StreamOperation::fail_with(base::ErrorCode code) noexcept {
  store(base::Error{.code = code});
  finish();
}

void StreamOperation::finish() noexcept {
  stream_.set_waiter(direction_, nullptr);
  Timer::unlink();
  Cancellable::unlink();
  stream_.loop().executor().post(handle_);
}

bool ReadOperation::attempt() noexcept {
  result_ = stream_.try_read(into_);
  return result_ || !result_.error().is(base::ErrorCode::would_block);
}

bool WriteOperation::attempt() noexcept {
  bool moved = false;
  while (!pieces_.empty()) {
    if (pieces_.front().iov_len == 0) {
      pieces_ = pieces_.subspan(1);
      continue;
    }
    const auto written = stream_.try_write(pieces_);
    if (!written) {
      if (written.error().is(base::ErrorCode::would_block)) {
        if (moved) move_deadline(patience_.until(stream_.loop().now()));
        return false;
      }
      result_ = std::unexpected(written.error());
      return true;
    }
    pieces_ = advance(pieces_, *written);
    moved = true;
  }
  return true;
}

base::Result<std::size_t> Stream::try_send_file(const FileBytes& /*bytes*/) noexcept {
  return base::fail(base::ErrorCode::internal, "this stream sends no files");
}

bool SendFileOperation::attempt() noexcept {
  bool moved = false;
  while (bytes_.count > 0) {
    const auto sent = stream_.try_send_file(bytes_);
    if (!sent) {
      if (sent.error().is(base::ErrorCode::would_block)) {
        if (moved) move_deadline(patience_.until(stream_.loop().now()));
        return false;
      }
      result_ = std::unexpected(sent.error());
      return true;
    }
    if (*sent == 0) {
      result_ = base::fail(base::ErrorCode::end_of_stream, "the file has become shorter");
      return true;
    }
    bytes_.offset += *sent;
    bytes_.count -= *sent;
    moved = true;
  }
  return true;
}

bool ReadyOperation::attempt() noexcept { return stream_.may_be_ready(direction_); }

std::span<iovec> advance(std::span<iovec> pieces, std::size_t bytes) noexcept {
  while (bytes > 0) {
    CHECK(!pieces.empty());
    iovec& first = pieces.front();
    const std::span<char> whole(static_cast<char*>(first.iov_base), first.iov_len);
    const std::span<char> rest = whole.subspan(std::min(bytes, whole.size()));
    bytes -= whole.size() - rest.size();
    if (rest.empty()) {
      pieces = pieces.subspan(1);
    } else {
      first = {rest.data(), rest.size()};
    }
  }
  return pieces;
}

}  // namespace io
