// ChunkedDecoder: the chunked transfer coding (RFC 9112 §7.1), incremental and zero copy.
//
//   1f;ext CRLF  31 bytes  CRLF  ...  0 CRLF  Name: value CRLF  CRLF
//   size line    data      end        last    trailer section   end
//
// Strict: digits and CRLF exactly, no white space around sizes, extensions checked and bounded over
// the whole body (CVE-2023-39326's class), sizes below 2^63. Trailers alone are copied (into the
// arena), since the caller's buffer moves on beneath them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/fields.h"
#include "http/h1/refusal.h"

namespace http::h1 {

struct ChunkedLimits {
  std::size_t max_extension_bytes = 4096;  // of all chunks together
  std::size_t max_trailer_bytes = 4096;
  std::size_t max_trailer_fields = 32;
};

class ChunkedDecoder {
 public:
  enum class State : std::uint8_t { need_more, data, done, refused };
  struct Step {
    State state = State::need_more;
    std::size_t consumed = 0;  // of the input, `data` included; on `done`, what follows is not ours
    std::string_view data{};  // of `data`: a view into the input, never empty
    Refusal refusal = Refusal::none;
  };

  explicit ChunkedDecoder(const ChunkedLimits& limits = {}) noexcept : limits_(limits) {}

  /// One step: the next piece of data, or what the input's end left. `need_more` has consumed all.
  /// Trailer fields go into `trailers` (views into its arena) before `done`. After `done` or
  /// `refused` it must not be called again.
  [[nodiscard]] Step decode(std::string_view input, Fields& trailers);

  /// Data bytes so far.
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  /// What is left of the current chunk: a hint of how much to read.
  [[nodiscard]] std::uint64_t chunk_left() const noexcept { return left_; }

 private:
  enum class At : std::uint8_t {
    size_first,  // the first digit of a chunk size
    size,  // further digits, or what ends them
    extension,
    size_lf,  // the LF of a size line
    data,
    data_cr,
    data_lf,
    trailer,
    trailer_lf,
    finished,
  };
  /// Consumes one byte or more of `input` (not empty); `at_` is not data.
  [[nodiscard]] Refusal take_framing(std::string_view input, std::size_t& taken, Fields& trailers);
  [[nodiscard]] Refusal take_size(char c) noexcept;
  [[nodiscard]] Refusal take_extension(std::string_view input, std::size_t& taken) noexcept;
  [[nodiscard]] Refusal take_trailer(std::string_view input, std::size_t& taken, Fields& trailers);
  [[nodiscard]] Refusal end_trailer_line(Fields& trailers);

  ChunkedLimits limits_;
  At at_ = At::size_first;
  std::uint8_t digits_ = 0;
  std::uint64_t left_ = 0;  // while reading a size line: the size so far
  std::uint64_t total_ = 0;
  std::size_t extension_bytes_ = 0;
  std::span<char> trailer_;  // in the arena, allocated when the first trailer byte arrives
  std::size_t trailer_used_ = 0;
  std::size_t trailer_line_ = 0;  // where the current line begins
  std::size_t trailer_fields_ = 0;
};

}  // namespace http::h1
