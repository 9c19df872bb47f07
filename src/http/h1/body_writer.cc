#include "http/h1/body_writer.h"

#include <array>

#include "base/check.h"
#include "http/h1/head_writer.h"
#include "io/buffer.h"

namespace http::h1 {

using base::ErrorCode;

base::Result<void> BodyWriter::account(std::size_t body_bytes, End end) noexcept {
  if (framing_ != Framing::length) return {};
  if (body_bytes > left_)
    return base::fail(ErrorCode::protocol, "the body is longer than its length");
  left_ -= body_bytes;
  if (end == End::yes && left_ != 0) {
    return base::fail(ErrorCode::protocol, "the body is shorter than its length");
  }
  return {};
}

async::Task<base::Result<void>> BodyWriter::send(std::string_view head, std::string_view piece,
                                                 End end, io::Patience patience) {
  CHECK(!ended_);
  if (framing_ == Framing::none) piece = {};
  CO_TRY_VOID(account(piece.size(), end));
  const bool chunked = framing_ == Framing::chunked;
  std::array<char, 18> size_line{};
  std::array<iovec, 5> pieces{};
  std::size_t count = 0;
  std::size_t total = 0;
  const auto add = [&](std::string_view text) {
    if (text.empty()) return;
    pieces[count++] = io::piece_of(text);
    total += text.size();
  };
  add(head);
  if (!piece.empty()) {
    if (chunked) add(chunk_header(piece.size(), size_line));
    add(piece);
    if (chunked) add(kChunkEnd);
  }
  if (end == End::yes && chunked) add(kLastChunk);
  if (count > 0) {
    if (end == End::yes && ends_stream_) stream_.end_with_next_write();
    CO_TRY_VOID(co_await io::write_all(stream_, std::span(pieces).first(count), patience));
    bytes_sent_ += total;
  }
  ended_ = end == End::yes;
  co_return base::Result<void>{};
}

async::Task<base::Result<void>> BodyWriter::send_file(io::FileBytes bytes, io::Patience patience) {
  CHECK(!ended_ && framing_ != Framing::chunked);
  if (framing_ == Framing::none) co_return base::Result<void>{};
  CO_TRY_VOID(account(bytes.count, End::no));
  CO_TRY_VOID(co_await io::send_file(stream_, bytes, patience));
  bytes_sent_ += bytes.count;
  co_return base::Result<void>{};
}

async::Task<base::Result<void>> BodyWriter::finish(const Fields& trailers, io::Patience patience) {
  if (framing_ != Framing::chunked || trailers.empty()) {
    co_return co_await send({}, {}, End::yes, patience);
  }
  CHECK(!ended_);
  io::Buffer section(kLastChunkBeforeTrailers.size() + trailers.bytes() + trailers.count() * 4 + 2);
  section.append(kLastChunkBeforeTrailers);
  HeadWriter writer(section.writable());
  writer.fields(trailers);
  writer.end();
  if (writer.verdict() != HeadWriter::Verdict::ok) {
    co_return base::fail(ErrorCode::invalid, "a trailer has a byte that is not allowed");
  }
  section.commit(writer.written().size());
  std::array<iovec, 1> pieces{io::piece_of(section.readable())};
  if (ends_stream_) stream_.end_with_next_write();
  CO_TRY_VOID(co_await io::write_all(stream_, pieces, patience));
  bytes_sent_ += section.size();
  ended_ = true;
  co_return base::Result<void>{};
}

}  // namespace http::h1
