// Body: the content of a message as a source that is pulled. Back-pressure is not asking for more.
//
//   while (true) {
//     CO_TRY(const std::string_view piece, co_await body.read(deadline));
//     if (piece.empty()) break;         // the end, framing checked; trailers are known now
//     ...                               // `piece` is valid until the next read
//   }
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/fields.h"

namespace http {

class Body {
 public:
  Body() = default;
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;
  virtual ~Body() = default;

  /// The next piece, empty at the end. Errors: protocol (bad framing), end_of_stream (cut off), and
  /// those of streams. After an error or the end it must not be called again.
  [[nodiscard]] virtual async::Task<base::Result<std::string_view>> read(
      base::Deadline deadline) = 0;

  /// What read() would give without waiting: nothing if it would wait.
  [[nodiscard]] virtual std::optional<base::Result<std::string_view>> try_read() = 0;

  /// True after read() has given the end (at once for a message without a body).
  [[nodiscard]] virtual bool ended() const noexcept = 0;

  /// The length, when the framing or the holder knows it.
  [[nodiscard]] virtual std::optional<std::uint64_t> length() const noexcept = 0;

  /// Trailer fields; complete once ended.
  [[nodiscard]] virtual const Fields& trailers() const noexcept = 0;

  /// After Error protocol: the status that its sender is answered with.
  [[nodiscard]] virtual unsigned refusal_status() const noexcept { return 400; }
};

}  // namespace http
