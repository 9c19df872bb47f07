#include "http/h1/body_reader.h"

#include <algorithm>

#include "base/check.h"

namespace http::h1 {

using base::ErrorCode;
using Kind = BodyFraming::Kind;

BodyReader::BodyReader(io::Stream& stream, BodyFraming framing, std::string_view received,
                       base::Arena& arena, const ChunkedLimits& limits,
                       std::size_t buffer_size) noexcept
    : stream_(stream),
      framing_(framing),
      pending_(received),
      left_(framing.length),
      buffer_size_(buffer_size),
      chunked_(limits),
      trailers_(arena),
      ended_(framing.kind == Kind::none) {}

std::optional<std::uint64_t> BodyReader::length() const noexcept {
  if (framing_.kind == Kind::none) return 0;
  if (framing_.kind == Kind::length) return framing_.length;
  return std::nullopt;
}

// Gives what is received already: a piece (empty: the end) or the word that more is needed.
base::Result<BodyReader::Outcome> BodyReader::take_pending(std::string_view& piece) {
  piece = {};
  if (ended_) return Outcome::piece;
  if (framing_.kind == Kind::chunked) {
    const ChunkedDecoder::Step step = chunked_.decode(pending_, trailers_);
    pending_.remove_prefix(step.consumed);
    piece = step.data;
    delivered_ += step.data.size();
    switch (step.state) {
      case ChunkedDecoder::State::need_more: return Outcome::need_more;
      case ChunkedDecoder::State::data: return Outcome::piece;
      case ChunkedDecoder::State::done: ended_ = true; return Outcome::piece;
      case ChunkedDecoder::State::refused: break;
    }
    refusal_ = step.refusal;
    return base::fail(ErrorCode::protocol, explain(step.refusal));
  }
  if (framing_.kind == Kind::length && left_ == 0) {
    ended_ = true;
    return Outcome::piece;
  }
  if (pending_.empty()) return Outcome::need_more;
  const bool by_length = framing_.kind == Kind::length;
  const auto count = by_length
                         ? static_cast<std::size_t>(std::min<std::uint64_t>(left_, pending_.size()))
                         : pending_.size();
  piece = pending_.substr(0, count);
  pending_.remove_prefix(count);
  delivered_ += count;
  if (by_length) left_ -= count;
  return Outcome::piece;
}

// Where the next bytes go. A body of known length never reads into the next message.
std::span<char> BodyReader::room() {
  CHECK(pending_.empty());
  if (buffer_.capacity() == 0) {
    const std::uint64_t wanted = framing_.kind == Kind::length ? left_ : buffer_size_;
    buffer_.grow(static_cast<std::size_t>(
        std::clamp<std::uint64_t>(wanted, io::Buffer::kSmall, buffer_size_)));
  }
  buffer_.clear();
  const std::span<char> all = buffer_.writable();
  if (framing_.kind != Kind::length) return all;
  return all.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, all.size())));
}

void BodyReader::received(std::size_t count) noexcept {
  buffer_.commit(count);
  read_from_stream_ += count;
  pending_ = buffer_.readable();
}

base::Result<void> BodyReader::at_end_of_stream() {
  if (framing_.kind != Kind::until_close) {
    return base::fail(ErrorCode::end_of_stream, "the body was cut off");
  }
  ended_ = true;
  return {};
}

std::optional<base::Result<std::string_view>> BodyReader::next_received() {
  std::string_view piece;
  const auto outcome = take_pending(piece);
  if (!outcome) return base::fail(outcome.error());
  if (*outcome == Outcome::need_more) return std::nullopt;
  return piece;
}

void BodyReader::notice_end() {
  if (ended_) return;
  if (framing_.kind == Kind::length) ended_ = left_ == 0;
  if (framing_.kind != Kind::chunked || pending_.empty()) return;
  // Tried on a copy: if data follows, it is the next read's.
  ChunkedDecoder ahead = chunked_;
  const std::size_t trailers_before = trailers_.count();
  const ChunkedDecoder::Step step = ahead.decode(pending_, trailers_);
  if (step.state == ChunkedDecoder::State::done) {
    chunked_ = ahead;
    pending_.remove_prefix(step.consumed);
    ended_ = true;
  } else if (trailers_.count() != trailers_before) {
    trailers_.clear();
  }
}

std::optional<base::Result<std::string_view>> BodyReader::try_read() {
  while (true) {
    std::string_view piece;
    const auto outcome = take_pending(piece);
    if (!outcome) return base::fail(outcome.error());
    if (*outcome == Outcome::piece) return piece;
    const auto count = stream_.try_read(room());
    if (!count) {
      if (count.error().is(ErrorCode::would_block)) return std::nullopt;
      return base::fail(count.error());
    }
    received(*count);
    if (*count > 0) continue;
    if (const auto end = at_end_of_stream(); !end) return base::fail(end.error());
    return std::string_view{};
  }
}

async::Task<base::Result<std::string_view>> BodyReader::read(base::Deadline deadline) {
  while (true) {
    std::string_view piece;
    CO_TRY(const Outcome outcome, take_pending(piece));
    if (outcome == Outcome::piece) co_return piece;
    CO_TRY(const std::size_t count, co_await io::read(stream_, room(), deadline));
    received(count);
    if (count > 0) continue;
    CO_TRY_VOID(at_end_of_stream());
    co_return std::string_view{};
  }
}

}  // namespace http::h1
