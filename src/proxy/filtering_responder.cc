#include "proxy/filtering_responder.h"

#include <utility>

#include "base/check.h"
#include "proxy/relay.h"

namespace proxy {

using base::ErrorCode;
using base::Result;
using http::End;
using http::Then;

namespace {

// What one response may take of the worker before the others have their turn.
constexpr std::uint64_t kTurn = std::uint64_t{512} * 1024;

}  // namespace

FilteringResponder::FilteringResponder(http::Responder& inner, io::EventLoop& loop,
                                       filter::BodyFilters filters, Pace::Limits client,
                                       Then between, OnFailure on_failure)
    : inner_(inner),
      filters_(std::move(filters)),
      outlet_(inner, loop, client),
      between_(between),
      on_failure_(std::move(on_failure)) {
  CHECK(!filters_.empty());
  http::BodySink* next = &outlet_;
  for (auto filter = filters_.rbegin(); filter != filters_.rend(); ++filter) {
    (*filter)->set_next(*next);
    next = filter->get();
  }
}

async::Task<Result<void>> FilteringResponder::send_head(const http::ResponseHead& head,
                                                        std::string_view first, End end,
                                                        io::Patience patience) {
  outlet_.head = &head;
  Result<void> sent;
  if (!first.empty() || end == End::yes) {
    sent = co_await push(first, end == End::yes ? Then::end : between_, patience);
  }
  if (sent && !inner_.head_sent()) sent = co_await inner_.send_head(head, {}, End::no, patience);
  outlet_.head = nullptr;
  co_return sent;
}

async::Task<Result<void>> FilteringResponder::send_body(std::string_view piece, End end,
                                                        io::Patience patience) {
  return push(piece, end == End::yes ? Then::end : between_, patience);
}

async::Task<Result<void>> FilteringResponder::send_file(io::FileBytes /*bytes*/,
                                                        io::Patience /*patience*/) {
  co_return base::fail(ErrorCode::internal, "a filtered body is not sent by the kernel");
}

async::Task<Result<void>> FilteringResponder::finish(const http::Fields& trailers,
                                                     io::Patience patience) {
  outlet_.trailers = &trailers;
  auto sent = co_await push({}, Then::end, patience);
  outlet_.trailers = nullptr;
  co_return sent;
}

async::Task<Result<void>> FilteringResponder::push(std::string_view piece, Then then,
                                                   io::Patience patience) {
  auto sent = co_await filters_.front()->write(piece, then, patience);
  if (!sent && !outlet_.failed) {
    if (const auto tell = std::exchange(on_failure_, nullptr)) tell(sent.error());
  }
  co_return sent;
}

async::Task<Result<void>> FilteringResponder::Outlet::write(
    std::string_view piece, Then then, io::Patience /*of the filters' input*/) {
  const End end = then == Then::end && trailers == nullptr ? End::yes : End::no;
  const base::TimePoint began = loop_.now();
  const io::Patience patience = pace_.patience(began, piece.size());
  Result<void> sent;
  if (!inner_.head_sent() && head == nullptr) {
    // A part of a page that was given up before its head could be sent.
    sent = base::fail(ErrorCode::cancelled);
  } else if (!inner_.head_sent()) {
    sent = co_await inner_.send_head(*head, piece, end, patience);
  } else if (!piece.empty() || end == End::yes) {
    sent = co_await inner_.send_body(piece, end, patience);
  }
  if (sent && then == Then::end && trailers != nullptr) {
    sent = co_await inner_.finish(*trailers, patience);
  }
  const base::Duration waited = loop_.now() - began;
  if (!sent) {
    failed = true;
    const bool slow =
        sent.error().is(ErrorCode::timed_out) && pace_.is_too_slow(waited, piece.size());
    co_return base::fail(slow ? sent.error().during(kBelowSendRate) : sent.error());
  }
  pace_.account(waited, piece.size());
  turn_ += piece.size();
  if (turn_ >= kTurn && then != Then::end) {
    turn_ = 0;
    co_await io::NextTurn(loop_);
  }
  co_return sent;
}

}  // namespace proxy
