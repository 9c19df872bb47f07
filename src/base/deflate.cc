#include "base/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace base {
namespace {

constexpr int kGzip = 16;  // added to the window's bits: gzip's wrapping
constexpr std::size_t kMost = std::numeric_limits<uInt>::max();

// Lends zlib both sides of a step. It only reads the input; its type says otherwise.
void lend(z_stream& stream, std::string_view input, std::span<char> output) noexcept {
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
  stream.avail_in = static_cast<uInt>(std::min(input.size(), kMost));
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(std::min(output.size(), kMost));
}

int flush_of(Deflater::Flush flush) noexcept {
  switch (flush) {
    case Deflater::Flush::none: return Z_NO_FLUSH;
    case Deflater::Flush::sync: return Z_SYNC_FLUSH;
    case Deflater::Flush::finish: return Z_FINISH;
  }
  return Z_NO_FLUSH;
}

}  // namespace

struct Deflater::State {
  z_stream stream{};
};

Deflater::Deflater(Parameters parameters) : state_(std::make_unique<State>()) {
  CHECK(deflateInit2(&state_->stream, parameters.level, Z_DEFLATED, parameters.window_bits + kGzip,
                     parameters.memory_level, Z_DEFAULT_STRATEGY) == Z_OK);
}

Deflater::~Deflater() { deflateEnd(&state_->stream); }

DeflateStep Deflater::run(std::string_view input, std::span<char> output, Flush flush) {
  CHECK(!output.empty() && input.size() <= kMost);
  z_stream& stream = state_->stream;
  lend(stream, input, output);
  const uInt in = stream.avail_in;
  const uInt out = stream.avail_out;
  const int result = deflate(&stream, flush_of(flush));
  // Z_BUF_ERROR: there was nothing to do.
  CHECK(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
  return {.taken = in - stream.avail_in, .given = out - stream.avail_out};
}

struct Inflater::State {
  z_stream stream{};
};

Inflater::Inflater() : state_(std::make_unique<State>()) {
  CHECK(inflateInit2(&state_->stream, MAX_WBITS + kGzip) == Z_OK);
}

Inflater::~Inflater() { inflateEnd(&state_->stream); }

Inflater::Step Inflater::run(std::string_view input, std::span<char> output) {
  CHECK(!output.empty());
  z_stream& stream = state_->stream;
  Step step;
  while (true) {
    const std::string_view rest = input.substr(step.taken);
    if (complete_) {
      if (rest.empty()) return step;
      CHECK(inflateReset(&stream) == Z_OK);
      complete_ = false;
    }
    lend(stream, rest, output.subspan(step.given));
    const uInt in = stream.avail_in;
    const uInt out = stream.avail_out;
    const int result = inflate(&stream, Z_NO_FLUSH);
    step.taken += in - stream.avail_in;
    step.given += out - stream.avail_out;
    complete_ = result == Z_STREAM_END;
    step.broken = result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR;
    if (!complete_ || step.given == output.size()) return step;
  }
}

}  // namespace base
