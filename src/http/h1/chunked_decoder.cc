#include "http/h1/chunked_decoder.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/text.h"
#include "http/find_control.h"
#include "http/h1/field_lines.h"

namespace http::h1 {

ChunkedDecoder::Step ChunkedDecoder::decode(std::string_view input, Fields& trailers) {
  CHECK(at_ != At::finished);
  std::size_t consumed = 0;
  while (consumed < input.size()) {
    const std::string_view rest = input.substr(consumed);
    if (at_ == At::data) {
      const std::string_view data = rest.substr(0, std::min<std::uint64_t>(left_, rest.size()));
      left_ -= data.size();
      total_ += data.size();
      if (left_ == 0) at_ = At::data_cr;
      return {.state = State::data, .consumed = consumed + data.size(), .data = data};
    }
    std::size_t taken = 1;
    const Refusal refusal = take_framing(rest, taken, trailers);
    consumed += taken;
    if (refusal != Refusal::none) {
      at_ = At::finished;
      return {.state = State::refused, .consumed = consumed, .refusal = refusal};
    }
    if (at_ == At::finished) return {.state = State::done, .consumed = consumed};
  }
  return {.state = State::need_more, .consumed = consumed};
}

Refusal ChunkedDecoder::take_framing(std::string_view input, std::size_t& taken, Fields& trailers) {
  const char c = input.front();
  switch (at_) {
    case At::size_first:
    case At::size: return take_size(c);
    case At::extension: return take_extension(input, taken);
    case At::size_lf:
      if (c != '\n') return Refusal::bare_cr;
      at_ = left_ == 0 ? At::trailer : At::data;
      return Refusal::none;
    case At::data_cr:
      if (c != '\r') return Refusal::chunk_end_missing;
      at_ = At::data_lf;
      return Refusal::none;
    case At::data_lf:
      if (c != '\n') return Refusal::chunk_end_missing;
      at_ = At::size_first;
      digits_ = 0;
      return Refusal::none;
    case At::trailer: return take_trailer(input, taken, trailers);
    case At::trailer_lf:
      if (c != '\n') return Refusal::bare_cr;
      return end_trailer_line(trailers);
    case At::data:
    case At::finished: break;
  }
  CHECK(false);
}

Refusal ChunkedDecoder::take_size(char c) noexcept {
  constexpr unsigned kMaxDigits = 16;
  constexpr auto kMaxSize = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const int digit = base::hex_value(c);
  if (digit >= 0) {
    // Sixteen digits can't overflow 64 bits; the seventeenth is refused before it is shifted in.
    if (++digits_ > kMaxDigits) return Refusal::chunk_size_overflow;
    left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
    at_ = At::size;
    return Refusal::none;
  }
  if (at_ == At::size_first) return Refusal::chunk_size_invalid;
  if (left_ > kMaxSize) return Refusal::chunk_size_overflow;
  if (c == '\r') {
    at_ = At::size_lf;
    return Refusal::none;
  }
  if (c == ';') {
    at_ = At::extension;
    return Refusal::none;
  }
  return c == '\n' ? Refusal::bare_lf : Refusal::chunk_size_invalid;
}

// Extensions mean nothing to us and end here (RFC 9112 §7.1.1), so only their bytes are checked.
Refusal ChunkedDecoder::take_extension(std::string_view input, std::size_t& taken) noexcept {
  const std::size_t size = find_control(input, 0);
  extension_bytes_ += size;
  if (extension_bytes_ > limits_.max_extension_bytes) return Refusal::chunk_extension_too_long;
  taken = size;
  if (size == input.size()) return Refusal::none;
  if (input[size] != '\r') return Refusal::chunk_extension_invalid;
  ++taken;
  at_ = At::size_lf;
  return Refusal::none;
}

Refusal ChunkedDecoder::take_trailer(std::string_view input, std::size_t& taken, Fields& trailers) {
  const std::size_t size = find_control(input, 0);
  if (size > limits_.max_trailer_bytes - trailer_used_) return Refusal::trailer_too_large;
  if (size > 0) {
    if (trailer_.empty()) trailer_ = trailers.arena().allocate_chars(limits_.max_trailer_bytes);
    std::ranges::copy(input.substr(0, size), trailer_.subspan(trailer_used_).begin());
    trailer_used_ += size;
  }
  taken = size;
  if (size == input.size()) return Refusal::none;
  if (input[size] == '\n') return Refusal::bare_lf;
  if (input[size] != '\r') return Refusal::trailer_invalid;
  ++taken;
  at_ = At::trailer_lf;
  return Refusal::none;
}

Refusal ChunkedDecoder::end_trailer_line(Fields& trailers) {
  if (trailer_used_ == trailer_line_) {
    at_ = At::finished;
    return Refusal::none;
  }
  const auto written = trailer_.subspan(trailer_line_, trailer_used_ - trailer_line_);
  trailer_line_ = trailer_used_;
  at_ = At::trailer;
  if (++trailer_fields_ > limits_.max_trailer_fields) return Refusal::trailer_too_many_fields;
  Field field;
  const Refusal refusal = parse_field_line({written.data(), written.size()}, field);
  if (refusal == Refusal::framing_alias) return Refusal::trailer_forbidden;
  if (refusal != Refusal::none) return Refusal::trailer_invalid;
  // Whoever folds '_' and '.' would see the folded name; so that one decides.
  const FieldName seen = field.id == FieldName::other ? intern_folded(field.name) : field.id;
  switch (trailer_use(seen)) {
    case TrailerUse::refuse: return Refusal::trailer_forbidden;
    case TrailerUse::drop: return Refusal::none;
    case TrailerUse::keep:
      return trailers.add(field) ? Refusal::none : Refusal::trailer_too_many_fields;
  }
  return Refusal::none;
}

}  // namespace http::h1
