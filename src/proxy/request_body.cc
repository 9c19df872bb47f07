#include "proxy/request_body.h"

#include <utility>

namespace proxy {

using base::ErrorCode;
using base::ErrorSource;

void Replay::add(std::string_view piece) {
  whole_ = whole_ && piece.size() <= most_ - text_.size();
  if (whole_) {
    text_.append(piece);
  } else {
    text_ = {};
  }
}

base::Result<std::string_view> RequestBody::check(base::Result<std::string_view> piece) noexcept {
  touched_ = true;
  if (!piece) {
    failed_ = true;
    return base::fail(piece.error().from(ErrorSource::downstream));
  }
  received_ += piece->size();
  if (max_size_ != 0 && received_ > max_size_) {
    failed_ = true;
    return base::fail(base::Error{.code = ErrorCode::too_large,
                                  .source = ErrorSource::downstream,
                                  .context = "client intended to send too large chunked body"});
  }
  return piece;
}

std::optional<base::Result<std::string_view>> RequestBody::try_read() {
  // A client that waits for "100 Continue" has not sent anything: the waiting read asks it to.
  auto piece = source_.try_read();
  if (!piece) return std::nullopt;
  return check(*piece);
}

async::Task<base::Result<std::string_view>> RequestBody::read() {
  if (auto now = try_read()) co_return *now;
  if (std::exchange(expects_continue_, false) && !responder_.head_sent()) {
    http::ResponseHead proceed(source_.trailers().arena());
    proceed.status = 100;
    const auto sent = co_await responder_.send_interim(proceed, pace_.patience(loop_.now()));
    if (!sent) co_return check(base::fail(sent.error()));
  }
  const base::TimePoint before = loop_.now();
  const auto piece = co_await source_.read(pace_.patience(before).until(before));
  const base::Duration waited = loop_.now() - before;
  if (piece) {
    pace_.account(waited, piece->size());
  } else if (piece.error().is(ErrorCode::timed_out)) {
    too_slow_ = pace_.is_too_slow(waited);
  }
  co_return check(piece);
}

}  // namespace proxy
