#include "http/h2/send_operation.h"

#include "http/h2/connection.h"

namespace http::h2 {

bool SendOperation::attempt() noexcept {
  if (!sender_.send_failed()) {
    if (!offered_ && (!piece_.empty() || end_) && !sender_.offer(piece_, end_)) {
      result_ = base::fail(base::ErrorCode::internal, "our side of the HTTP/2 stream has ended");
      return true;
    }
    offered_ = true;
    sender_.connection().pump();
  }
  if (sender_.send_failed()) {
    result_ = base::fail(sender_.failure());
    return true;
  }
  if (sender_.taken()) return true;
  if (sender_.bytes_sent() != seen_) {
    seen_ = sender_.bytes_sent();
    move_deadline(patience_.until(sender_.loop().now()));
  }
  return false;
}

void SendOperation::store(const base::Error& error) noexcept {
  result_ = std::unexpected(error);
  if (error.is(base::ErrorCode::timed_out)) {
    sender_.connection().counters().add(observe::Counter::limit_h2_stalled);
  }
  sender_.reset(Code::cancel, Stream::Because::own);
  sender_.fail(error);
}

}  // namespace http::h2
