#include "http/h1/chunked_decoder.h"

#include <gtest/gtest.h>

#include <string>

namespace http::h1 {
namespace {

struct Decoded {
  std::string data{};
  std::string trailers{};
  std::size_t consumed = 0;
  Refusal refusal = Refusal::none;
  bool done = false;

  bool operator==(const Decoded&) const = default;
};

// In pieces of `step` bytes; each piece is copied, so that views into an earlier one would be seen.
Decoded decode(std::string_view bytes, std::size_t step, const ChunkedLimits& limits = {}) {
  base::Arena arena;
  Fields trailers(arena);
  ChunkedDecoder decoder(limits);
  Decoded result;
  for (std::size_t start = 0; start < bytes.size() && !result.done; start += step) {
    const std::string piece(bytes.substr(start, step));
    std::string_view rest = piece;
    while (!rest.empty() && !result.done) {
      const ChunkedDecoder::Step taken = decoder.decode(rest, trailers);
      if (taken.state == ChunkedDecoder::State::refused) return {.refusal = taken.refusal};
      EXPECT_GT(taken.consumed, 0U);
      result.data += taken.data;
      result.consumed += taken.consumed;
      result.done = taken.state == ChunkedDecoder::State::done;
      rest.remove_prefix(taken.consumed);
    }
  }
  for (const Field& field : trailers) {
    result.trailers.append(field.name).append("=").append(field.value).append(";");
  }
  EXPECT_EQ(decoder.total(), result.data.size());
  return result;
}

Refusal refusal_of(std::string_view bytes, const ChunkedLimits& limits = {}) {
  const Decoded whole = decode(bytes, bytes.size(), limits);
  for (std::size_t step = 1; step < bytes.size(); ++step) {
    EXPECT_EQ(name_of(decode(bytes, step, limits).refusal), name_of(whole.refusal)) << bytes;
  }
  return whole.refusal;
}

TEST(ChunkedDecoder, DecodesTheSameInAnySlices) {
  constexpr std::string_view kBytes =
      "5\r\nhello\r\n0A;a=b;c=\"d e\"\r\n, chunked \r\n1\r\n\n\r\n000\r\nX-Sum: 12 "
      "\r\nY:\r\n\r\nGET /";
  const Decoded whole = decode(kBytes, kBytes.size());
  EXPECT_TRUE(whole.done);
  EXPECT_EQ(whole.data, "hello, chunked \n");
  EXPECT_EQ(whole.trailers, "X-Sum=12;Y=;");
  EXPECT_EQ(whole.consumed, kBytes.size() - 5);
  for (std::size_t step = 1; step < kBytes.size(); ++step) EXPECT_EQ(decode(kBytes, step), whole);
}

TEST(ChunkedDecoder, RefusesByName) {
  using enum Refusal;
  const struct {
    std::string_view bytes;
    Refusal refusal;
  } kHostile[] = {
      {"\r\n", chunk_size_invalid},
      {" 5\r\nhello\r\n", chunk_size_invalid},
      {"5 \r\nhello\r\n", chunk_size_invalid},
      {"5 ;a\r\nhello\r\n", chunk_size_invalid},
      {"\t5\r\nhello\r\n", chunk_size_invalid},
      {"0x5\r\nhello\r\n", chunk_size_invalid},
      {"+5\r\nhello\r\n", chunk_size_invalid},
      {"-5\r\nhello\r\n", chunk_size_invalid},
      {"g\r\n", chunk_size_invalid},
      {"5,\r\n", chunk_size_invalid},
      {";a\r\n", chunk_size_invalid},
      {"\n", chunk_size_invalid},
      {"5\nhello\r\n", bare_lf},
      {"5\rhello", bare_cr},
      {"5\r\r\nhello", bare_cr},
      {"00000000000000005\r\n", chunk_size_overflow},
      {"10000000000000000\r\n", chunk_size_overflow},
      {"ffffffffffffffff\r\n", chunk_size_overflow},
      {"8000000000000000\r\n", chunk_size_overflow},
      {"8000000000000000;a\r\n", chunk_size_overflow},
      {"5;a\nhello\r\n", chunk_extension_invalid},
      {std::string_view("5;a\0\r\n", 6), chunk_extension_invalid},
      {"5;a\x7f\r\n", chunk_extension_invalid},
      {"5;a\rb\r\n", bare_cr},
      {"5;\"a\r\"\r\n", bare_cr},
      {"5\r\nhelloX", chunk_end_missing},
      {"5\r\nhello\n", chunk_end_missing},
      {"5\r\nhello\rX", chunk_end_missing},
      {"5\r\nhello0\r\n\r\n", chunk_end_missing},
      {"5\r\nhello\r\n\r\n", chunk_size_invalid},
      {"0\r\n\n", bare_lf},
      {"0\n\r\n", bare_lf},
      {"0\r\n\rX", bare_cr},
      {"0\r\nX: a\n\r\n", bare_lf},
      {std::string_view("0\r\nX: \0\r\n\r\n", 11), trailer_invalid},
      {"0\r\nX\r\n\r\n", trailer_invalid},
      {"0\r\n X: a\r\n\r\n", trailer_invalid},
      {"0\r\nX : a\r\n\r\n", trailer_invalid},
      {"0\r\n: a\r\n\r\n", trailer_invalid},
      {"0\r\nGET / HTTP/1.1\r\n\r\n", trailer_invalid},
      {"0\r\nContent-Length: 5\r\n\r\n", trailer_forbidden},
      {"0\r\nTransfer-Encoding: chunked\r\n\r\n", trailer_forbidden},
      {"0\r\ntransfer_encoding: chunked\r\n\r\n", trailer_forbidden},
      {"0\r\nHost: a\r\n\r\n", trailer_forbidden},
      {"0\r\nConnection: close\r\n\r\n", trailer_forbidden},
      {"0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n", trailer_forbidden},
      {"0\r\nX_Forwarded.For: 1.2.3.4\r\n\r\n", trailer_forbidden},
  };
  for (const auto& hostile : kHostile) {
    EXPECT_EQ(name_of(refusal_of(hostile.bytes)), name_of(hostile.refusal)) << hostile.bytes;
  }
}

TEST(ChunkedDecoder, DropsTrailersThatSteerOrAuthenticate) {
  const Decoded decoded = decode(
      "0\r\nAuthorization: a\r\nSet-Cookie: b\r\nSet_Cookie: c\r\nContent-Type: d\r\nX: e\r\n\r\n",
      99);
  EXPECT_TRUE(decoded.done);
  EXPECT_EQ(decoded.trailers, "X=e;");
}

TEST(ChunkedDecoder, BoundsExtensionsOverTheWholeBody) {
  const ChunkedLimits limits{.max_extension_bytes = 4};
  EXPECT_EQ(refusal_of("1;ab\r\nx\r\n1;cd\r\nx\r\n0\r\n\r\n", limits), Refusal::none);
  EXPECT_EQ(refusal_of("1;ab\r\nx\r\n1;cde\r\nx\r\n0\r\n\r\n", limits),
            Refusal::chunk_extension_too_long);
  EXPECT_EQ(refusal_of("1;abcde", limits), Refusal::chunk_extension_too_long);
}

TEST(ChunkedDecoder, BoundsTheTrailerSection) {
  const ChunkedLimits limits{.max_trailer_bytes = 10, .max_trailer_fields = 2};
  EXPECT_EQ(refusal_of("0\r\nA: bcdefgh\r\n\r\n", limits), Refusal::none);
  EXPECT_EQ(refusal_of("0\r\nA: bcdefghi\r\n\r\n", limits), Refusal::trailer_too_large);
  EXPECT_EQ(refusal_of("0\r\nA: bcdefghi", limits), Refusal::trailer_too_large);
  EXPECT_EQ(refusal_of("0\r\nA:b\r\nC:d\r\nE:f\r\n\r\n", limits), Refusal::trailer_too_many_fields);
}

TEST(ChunkedDecoder, TakesTheLargestSizeAndLeadingZeros) {
  base::Arena arena;
  Fields trailers(arena);
  ChunkedDecoder decoder;
  const auto step = decoder.decode("7fffffffffffffff\r\nabc", trailers);
  EXPECT_EQ(step.data, "abc");
  EXPECT_EQ(decoder.chunk_left(), 0x7fffffffffffffffU - 3);
  EXPECT_EQ(decode("0000000000000003\r\nabc\r\n0\r\n\r\n", 100).data, "abc");
}

TEST(ChunkedDecoder, NeedsMoreForAnEmptyInput) {
  base::Arena arena;
  Fields trailers(arena);
  ChunkedDecoder decoder;
  EXPECT_EQ(decoder.decode("", trailers).state, ChunkedDecoder::State::need_more);
}

}  // namespace
}  // namespace http::h1
