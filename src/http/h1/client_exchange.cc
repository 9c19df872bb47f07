#include "http/h1/client_exchange.h"

#include <algorithm>

#include "base/check.h"
#include "http/h1/head_buffer.h"

namespace http::h1 {

using base::ErrorCode;
using Framing = BodyWriter::Framing;

async::Task<base::Result<void>> ClientExchange::send_head(const OutgoingRequest& request,
                                                          std::string_view first, End end,
                                                          base::Deadline deadline) {
  const auto write_head = [&](HeadWriter& writer) {
    writer.request_line(request.method, request.target, request.version);
    writer.fields(request.fields);
    if (request.body.kind == BodyFraming::Kind::length) {
      writer.field(FieldName::content_length, request.body.length);
    } else if (request.body.kind == BodyFraming::Kind::chunked) {
      writer.field(FieldName::transfer_encoding, "chunked");
    }
    writer.end();
  };
  io::Buffer out;
  CO_TRY(const std::string_view bytes, serialise(out, write_head));
  switch (request.body.kind) {
    case BodyFraming::Kind::length: writer_.begin(Framing::length, request.body.length); break;
    case BodyFraming::Kind::chunked: writer_.begin(Framing::chunked, 0); break;
    default: writer_.begin(Framing::none, 0); break;
  }
  co_return co_await writer_.send(bytes, first, end, deadline);
}

async::Task<base::Result<void>> ClientExchange::read_head(ResponseHead& head,
                                                          base::Deadline deadline) {
  CHECK(!body_);
  head_begin_ = head_end_;
  parser_.reset();
  while (true) {
    const HeadProgress progress = parser_.feed(in_.readable().substr(head_begin_), head);
    if (progress.done()) {
      head_end_ = head_begin_ + progress.size;
      co_return base::Result<void>{};
    }
    if (progress.refused()) {
      refusal_ = progress.refusal;
      co_return base::fail(ErrorCode::protocol, explain(progress.refusal));
    }
    if (in_.full() && !in_.empty()) {
      // Interim responses count, too: a backend can't make this grow without end.
      if (in_.capacity() >= head_begin_ + max_head_ || in_.capacity() >= 4 * max_head_) {
        refusal_ = Refusal::head_too_large;
        co_return base::fail(ErrorCode::too_large, explain(refusal_));
      }
      in_.grow(in_.capacity() * 2);
    }
    // No buffer while nothing comes: many requests may wait for slow backends.
    CO_TRY_VOID(co_await io::ready(stream_, io::Direction::read, deadline, io::Waiting::busy));
    in_.grow(io::Buffer::kSmall);
    const auto count = stream_.try_read(in_.writable());
    if (!count && count.error().is(ErrorCode::would_block)) {
      if (in_.empty()) in_.release();
      continue;
    }
    if (!count) co_return base::fail(count.error());
    if (*count == 0) co_return base::fail(ErrorCode::end_of_stream, "the response was cut off");
    in_.commit(*count);
    received_ += *count;
  }
}

BodyReader& ClientExchange::open_body(const ResponseHead& head) {
  CHECK(!body_);
  body_.emplace(stream_, head.body, in_.readable().substr(head_end_), arena_, body_limits_);
  return *body_;
}

}  // namespace http::h1
