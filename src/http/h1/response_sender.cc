#include "http/h1/response_sender.h"

#include "base/check.h"
#include "http/h1/head_buffer.h"
#include "http/status.h"

namespace http::h1 {

using Framing = BodyWriter::Framing;

// What follows is the tunnel's: no field may say otherwise (RFC 9110 §9.3.6).
bool ResponseSender::opens_tunnel(const ResponseHead& head) const noexcept {
  return head.status == 101 || (request_.method == Method::connect && head.status / 100 == 2);
}

void ResponseSender::choose_framing(const ResponseHead& head) noexcept {
  if (!request_.keep_alive) keep_alive_ = false;
  if (opens_tunnel(head) || request_.method == Method::head || status_has_no_body(head.status)) {
    return body_.begin(Framing::none, 0);
  }
  switch (head.body.kind) {
    case BodyFraming::Kind::none: return body_.begin(Framing::length, 0);
    case BodyFraming::Kind::length: return body_.begin(Framing::length, head.body.length);
    case BodyFraming::Kind::chunked:
    case BodyFraming::Kind::until_close: break;
  }
  if (may_chunk_ && request_.version != Version::http_1_0) return body_.begin(Framing::chunked, 0);
  keep_alive_ = false;
  body_.begin(Framing::until_close, 0);
}

void ResponseSender::write_head(HeadWriter& writer, const ResponseHead& head) const noexcept {
  writer.status_line(Version::http_1_1, head.status,
                     head.reason.empty() ? reason_phrase(head.status) : head.reason);
  writer.fields(head.fields);
  if (head.status >= 200 && !opens_tunnel(head)) {
    if (body_.framing() == Framing::length) {
      writer.field(FieldName::content_length, body_.length_left());
    }
    if (body_.framing() == Framing::chunked) writer.field(FieldName::transfer_encoding, "chunked");
    if (!keep_alive_) {
      writer.field(FieldName::connection, "close");
    } else if (request_.version == Version::http_1_0) {
      writer.field(FieldName::connection, "keep-alive");
    }
  }
  writer.end();
}

async::Task<base::Result<void>> ResponseSender::send_interim(const ResponseHead& head,
                                                             io::Patience patience) {
  if (request_.version == Version::http_1_0) co_return base::Result<void>{};
  CO_TRY(const std::string_view bytes,
         serialise(out_, [&](HeadWriter& writer) { write_head(writer, head); }));
  head_bytes_ += bytes.size();
  co_return co_await body_.send(bytes, {}, End::no, patience);
}

async::Task<base::Result<void>> ResponseSender::send_head(const ResponseHead& head,
                                                          std::string_view first, End end,
                                                          io::Patience patience) {
  CHECK(!head_sent_);
  choose_framing(head);
  if (!keep_alive_ && !opens_tunnel(head)) body_.end_stream_after();
  CO_TRY(const std::string_view bytes,
         serialise(out_, [&](HeadWriter& writer) { write_head(writer, head); }));
  head_sent_ = true;
  head_bytes_ += bytes.size();
  const auto sent = co_await body_.send(bytes, first, end, patience);
  out_.release();
  co_return sent;
}

}  // namespace http::h1
