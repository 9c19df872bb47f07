// needs: http_h1
// Chunked bodies: progress at each step, the same data, trailers and answer whole and byte by byte,
// and the decoded data encoded anew decodes to itself.
#include <array>
#include <string>

#include "base/check.h"
#include "http/h1/chunked_decoder.h"
#include "http/h1/head_writer.h"

namespace {

using http::h1::ChunkedDecoder;

struct Decoded {
  std::string data;
  std::string trailers;
  std::size_t consumed = 0;
  http::h1::Refusal refusal = http::h1::Refusal::none;
  bool done = false;

  [[nodiscard]] bool ended() const { return done || refusal != http::h1::Refusal::none; }
};

Decoded decode(const std::string& bytes, std::size_t step) {
  base::Arena arena;
  http::Fields trailers(arena);
  ChunkedDecoder decoder(
      {.max_extension_bytes = 100, .max_trailer_bytes = 200, .max_trailer_fields = 5});
  Decoded result;
  for (std::size_t start = 0; start < bytes.size() && !result.ended(); start += step) {
    const std::string piece = bytes.substr(start, step);
    std::string_view rest = piece;
    while (!rest.empty() && !result.ended()) {
      const ChunkedDecoder::Step taken = decoder.decode(rest, trailers);
      CHECK(taken.consumed <= rest.size());
      CHECK(taken.consumed > 0 || taken.state == ChunkedDecoder::State::refused);
      CHECK((taken.state == ChunkedDecoder::State::data) == !taken.data.empty());
      CHECK(taken.state != ChunkedDecoder::State::need_more || taken.consumed == rest.size());
      result.data += taken.data;
      result.consumed += taken.consumed;
      result.done = taken.state == ChunkedDecoder::State::done;
      result.refusal = taken.refusal;
      rest.remove_prefix(taken.consumed);
    }
  }
  CHECK(decoder.total() == result.data.size());
  for (const http::Field& field : trailers) {
    CHECK(http::trailer_use(http::intern_folded(field.name)) == http::TrailerUse::keep);
    result.trailers.append(field.name).append("=").append(field.value).append("\n");
  }
  return result;
}

std::string encode(const std::string& data) {
  std::string bytes;
  for (std::size_t start = 0; start < data.size(); start += 7) {
    const std::string piece = data.substr(start, 7);
    std::array<char, 18> memory{};
    bytes.append(http::h1::chunk_header(piece.size(), memory)).append(piece);
    bytes.append(http::h1::kChunkEnd);
  }
  return bytes.append(http::h1::kLastChunk);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const Decoded whole = decode(bytes, size + 1);
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}}) {
    const Decoded sliced = decode(bytes, step);
    CHECK(sliced.data == whole.data && sliced.trailers == whole.trailers);
    CHECK(sliced.refusal == whole.refusal && sliced.done == whole.done);
    CHECK(!whole.done || sliced.consumed == whole.consumed);
  }
  const Decoded again = decode(encode(whole.data), 5);
  CHECK(again.done && again.data == whole.data && again.trailers.empty());
  return 0;
}
