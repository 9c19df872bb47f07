// HeadScanner: finds the end of a message head in a buffer that grows, and refuses bad bytes and
// passed limits as soon as they are visible, so that nobody can stall inside a head that is already
// wrong. Each byte is looked at once, sixteen at a time.
//
//   begin_                line_start_    scanned_
//     |                        |            |
//   CRLF| GET / HTTP/1.1 CRLF | Host: exam  | not looked at yet
//
// What it answers depends on the bytes alone, never on how they were sliced: the answer to a buffer
// is the answer to its shortest prefix that is complete or wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/h1/refusal.h"

namespace http::h1 {

struct HeadLimits {
  /// Bytes of the first line, and of each field line, without CRLF (large_client_header_buffers).
  std::size_t max_line = 8 * 1024;
  /// Bytes of the whole head, line ends included.
  std::size_t max_total = 32 * 1024;
  std::size_t max_fields = 100;
};

struct HeadProgress {
  enum class State : std::uint8_t { need_more, done, refused };
  State state = State::need_more;
  std::size_t size = 0;  // done: bytes of the head, its empty last line included
  Refusal refusal = Refusal::none;

  [[nodiscard]] bool done() const noexcept { return state == State::done; }
  [[nodiscard]] bool refused() const noexcept { return state == State::refused; }
};

class HeadScanner {
 public:
  explicit HeadScanner(const HeadLimits& limits) noexcept : limits_(limits) {}

  struct Event {
    enum class Kind : std::uint8_t { need_more, first_line, done, refused };
    Kind kind;
    Refusal refusal = Refusal::none;
  };
  /// Continues where it stopped. Returns once when the first line is complete, so that it can be
  /// judged before more is waited for; call again to go on.
  [[nodiscard]] Event scan(std::string_view buffered) noexcept;

  [[nodiscard]] std::size_t begin() const noexcept { return begin_; }  // of the first line
  [[nodiscard]] std::size_t first_line_end() const noexcept { return first_line_end_; }
  [[nodiscard]] std::size_t head_end() const noexcept { return scanned_; }  // after `done`
  [[nodiscard]] const HeadLimits& limits() const noexcept { return limits_; }

  /// For the next message on the connection.
  void reset() noexcept { *this = HeadScanner(limits_); }

 private:
  [[nodiscard]] Event end_of_input(std::string_view buffered) const noexcept;
  /// An empty line was read: the end, or one of those before the first line.
  [[nodiscard]] Event::Kind end_empty_line() noexcept;

  HeadLimits limits_;
  std::size_t begin_ = 0;
  std::size_t first_line_end_ = 0;
  std::size_t line_start_ = 0;
  std::size_t scanned_ = 0;
  std::size_t lines_ = 0;  // complete ones that are not empty
  std::size_t empty_lines_ = 0;  // before the first line
};

}  // namespace http::h1
