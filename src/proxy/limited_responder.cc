#include "proxy/limited_responder.h"

#include "proxy/relay.h"

namespace proxy {

using base::Result;
using http::End;

async::Task<Result<void>> LimitedResponder::send_head(const http::ResponseHead& head,
                                                      std::string_view first, End end,
                                                      io::Patience /*patience*/) {
  CO_TRY(const std::uint64_t count, co_await take_turn(loop_, limit_, first.size()));
  const std::string_view rest = first.substr(count);
  const base::TimePoint began = loop_.now();
  CO_TRY_VOID(
      settle(co_await inner_.send_head(head, first.substr(0, count), rest.empty() ? end : End::no,
                                       pace_.patience(began, count)),
             began, count));
  if (rest.empty()) co_return Result<void>{};
  co_return co_await send_body(rest, end, base::kNoDeadline);
}

async::Task<Result<void>> LimitedResponder::send_body(std::string_view piece, End end,
                                                      io::Patience /*patience*/) {
  while (true) {
    CO_TRY(const std::uint64_t count, co_await take_turn(loop_, limit_, piece.size()));
    const std::string_view out = piece.substr(0, count);
    piece.remove_prefix(count);
    const base::TimePoint began = loop_.now();
    CO_TRY_VOID(settle(
        co_await inner_.send_body(out, piece.empty() ? end : End::no, pace_.patience(began, count)),
        began, count));
    if (piece.empty()) co_return Result<void>{};
  }
}

async::Task<Result<void>> LimitedResponder::send_file(io::FileBytes bytes,
                                                      io::Patience /*patience*/) {
  while (bytes.count > 0) {
    CO_TRY(const std::uint64_t count, co_await take_turn(loop_, limit_, bytes.count));
    const base::TimePoint began = loop_.now();
    const io::FileBytes part{.file = bytes.file, .offset = bytes.offset, .count = count};
    CO_TRY_VOID(
        settle(co_await inner_.send_file(part, pace_.patience(began, count)), began, count));
    bytes.offset += count;
    bytes.count -= count;
  }
  co_return Result<void>{};
}

async::Task<Result<void>> LimitedResponder::finish(const http::Fields& trailers,
                                                   io::Patience /*patience*/) {
  const base::TimePoint began = loop_.now();
  co_return settle(co_await inner_.finish(trailers, pace_.patience(began)), began, 0);
}

Result<void> LimitedResponder::settle(Result<void> sent, base::TimePoint began,
                                      std::uint64_t bytes) {
  const base::Duration waited = loop_.now() - began;
  if (!sent) {
    const bool slow =
        sent.error().is(base::ErrorCode::timed_out) && pace_.is_too_slow(waited, bytes);
    return base::fail(slow ? sent.error().during(kBelowSendRate) : sent.error());
  }
  pace_.account(waited, bytes);
  limit_.moved(bytes);
  return sent;
}

}  // namespace proxy
