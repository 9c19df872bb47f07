// HeadWriter: a message head as bytes, into memory that the caller owns. Append only and bounded:
// it never writes beyond the span, and counts on, so that the caller learns how much it needed.
//
// Every name, value and target is checked again here, at the last place before the wire (threats.md
// #7): whatever a variable, a rewrite or HTTP/2 brought in, no CR, LF or NUL leaves.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/fields.h"
#include "http/method.h"

namespace http::h1 {

class HeadWriter {
 public:
  enum class Verdict : std::uint8_t {
    ok,
    overflow,  // needed() bytes are needed; begin again with more
    unsafe,  // something would have broken the framing: a 500 or 502, never sent
  };

  explicit HeadWriter(std::span<char> into) noexcept : into_(into) {}

  /// "GET /path HTTP/1.1". The target must not be empty nor hold a space or a control byte.
  void request_line(std::string_view method, std::string_view target, Version version) noexcept;
  /// "HTTP/1.1 200 OK"; the space after the code stands even without a reason (RFC 9112 §4).
  void status_line(Version version, unsigned status, std::string_view reason) noexcept;
  void field(std::string_view name, std::string_view value) noexcept;
  void field(FieldName id, std::string_view value) noexcept;
  void field(FieldName id, std::uint64_t value) noexcept;
  void fields(const Fields& all) noexcept;
  /// The empty line. Ends a head, and a trailer section.
  void end() noexcept { end_line(); }

  /// Looks at all that was written, in one pass: ask once.
  [[nodiscard]] Verdict verdict() const noexcept;
  [[nodiscard]] std::size_t needed() const noexcept { return needed_; }
  /// What was written; whole only if the verdict is ok.
  [[nodiscard]] std::string_view written() const noexcept {
    return {into_.data(), needed_ < into_.size() ? needed_ : into_.size()};
  }

 private:
  void append(std::string_view text) noexcept;
  void line(std::string_view name, std::string_view value) noexcept;
  void end_line() noexcept;
  void require(bool safe) noexcept { unsafe_ = unsafe_ || !safe; }

  std::span<char> into_;
  std::size_t needed_ = 0;
  std::size_t lines_ = 0;
  bool unsafe_ = false;
};

/// "1f\r\n" before 31 bytes of data, into the caller's 18 bytes. Sizes are 1 or more: a zero would
/// end the body.
[[nodiscard]] std::string_view chunk_header(std::uint64_t size, std::span<char, 18> into) noexcept;
inline constexpr std::string_view kChunkEnd = "\r\n";
/// The end of a body without trailers.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
/// Before trailers, which HeadWriter writes and end()s.
inline constexpr std::string_view kLastChunkBeforeTrailers = "0\r\n";

}  // namespace http::h1
