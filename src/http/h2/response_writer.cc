#include "http/h2/response_writer.h"

#include <array>
#include <charconv>

#include "base/check.h"
#include "http/h2/connection.h"
#include "http/h2/send_operation.h"
#include "http/status.h"

namespace http::h2 {

using base::ErrorCode;
using Kind = BodyFraming::Kind;

base::Result<void> ResponseWriter::account(std::size_t size, End end) noexcept {
  if (!left_) return {};
  if (size > *left_) return base::fail(ErrorCode::protocol, "the body is longer than its length");
  *left_ -= size;
  if (end == End::yes && *left_ != 0) {
    return base::fail(ErrorCode::protocol, "the body is shorter than its length");
  }
  return {};
}

async::Task<base::Result<void>> ResponseWriter::send_interim(const ResponseHead& head,
                                                             io::Patience /*patience*/) {
  if (head.status == 101) co_return base::Result<void>{};  // RFC 9113 §8.6: there is none
  if (stream_.send_failed()) co_return base::fail(stream_.failure());
  CO_TRY_VOID(stream_.connection().session().submit_interim(stream_, head.status, head.fields));
  stream_.note_submitted(Stream::After::heads);
  // Not waited for: it may be sent while the response is, and a stream has one sender.
  stream_.connection().wake_writer();
  co_return base::Result<void>{};
}

base::Result<void> ResponseWriter::submit_head(const ResponseHead& head,
                                               std::optional<std::uint64_t> promised,
                                               Session::Ends ends) {
  std::array<char, 20> digits{};
  std::string_view length;
  if (promised) {
    const auto [end, error] = std::to_chars(digits.begin(), digits.end(), *promised);
    CHECK(error == std::errc{});
    length = {digits.begin(), end};
  }
  TRY_VOID(stream_.connection().session().submit_response(stream_, head.status, head.fields, length,
                                                          ends));
  stream_.note_submitted(ends == Session::Ends::yes ? Stream::After::nothing : Stream::After::data);
  return {};
}

async::Task<base::Result<void>> ResponseWriter::send_head(const ResponseHead& head,
                                                          std::string_view first, End end,
                                                          io::Patience patience) {
  CHECK(!head_sent_);
  if (stream_.send_failed()) co_return base::fail(stream_.failure());
  no_body_ = method_ == Method::head || status_has_no_body(head.status);
  const bool opens_tunnel = method_ == Method::connect && head.status / 100 == 2;
  if (!no_body_ && !opens_tunnel) {
    if (head.body.kind == Kind::length) left_ = head.body.length;
    if (head.body.kind == Kind::none) left_ = 0;
  }
  if (no_body_) first = {};
  const bool only_head = no_body_ || (end == End::yes && first.empty());
  using Ends = Session::Ends;
  const auto promised = left_;
  CO_TRY_VOID(account(first.size(), end));
  CO_TRY_VOID(submit_head(head, promised, only_head ? Ends::yes : Ends::no));
  head_sent_ = true;
  const bool last = end == End::yes && !only_head;
  CO_TRY_VOID(co_await SendOperation(stream_, first, last, patience));
  ended_ = end == End::yes;
  co_return base::Result<void>{};
}

async::Task<base::Result<void>> ResponseWriter::send_body(std::string_view piece, End end,
                                                          io::Patience patience) {
  CHECK(!ended_);
  if (no_body_) {
    ended_ = end == End::yes;
    co_return base::Result<void>{};
  }
  CO_TRY_VOID(account(piece.size(), end));
  CO_TRY_VOID(co_await SendOperation(stream_, piece, end == End::yes, patience));
  ended_ = end == End::yes;
  co_return base::Result<void>{};
}

async::Task<base::Result<void>> ResponseWriter::send_file(io::FileBytes /*bytes*/,
                                                          io::Patience /*patience*/) {
  co_return base::fail(ErrorCode::internal, "HTTP/2 sends no files");
}

async::Task<base::Result<void>> ResponseWriter::finish(const Fields& trailers,
                                                       io::Patience patience) {
  if (no_body_ || trailers.empty()) co_return co_await send_body({}, End::yes, patience);
  CHECK(!ended_);
  CO_TRY_VOID(account(0, End::yes));
  if (stream_.send_failed()) co_return base::fail(stream_.failure());
  CO_TRY_VOID(stream_.connection().session().submit_trailers(stream_, trailers));
  stream_.note_submitted(Stream::After::nothing);
  CO_TRY_VOID(co_await SendOperation(stream_, {}, false, patience));
  ended_ = true;
  co_return base::Result<void>{};
}

}  // namespace http::h2
