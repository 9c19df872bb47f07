// ErrorLog: where the program tells its administrator what went wrong. One sink with a level and a
// format; a line leaves in one write(2), so that lines of several threads and processes never mix.
//
// It must not hurt traffic: a full disk or a reader that has gone drops the line and counts it, a
// pipe that is full is not waited for. Lines are bounded, control characters escaped, and the
// values of Authorization, Cookie and their kind are taken out whoever wrote them into the message
// (redact.h).
//
// An ErrorLog never changes after it is made, so all threads share it without a lock. Reloading the
// configuration makes a new one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"

namespace observe {

/// nginx's, the gravest first.
enum class Level : std::uint8_t { emerg, alert, crit, error, warn, notice, info, debug };

/// "emerg", ..., "debug".
[[nodiscard]] std::string_view name_of(Level level) noexcept;
[[nodiscard]] std::optional<Level> parse_level(std::string_view word) noexcept;

enum class LogFormat : std::uint8_t { text, json };

/// What a message is about. Empty fields are left out of the line; `connection` 0 is none.
struct LogContext {
  std::uint64_t connection = 0;
  std::string_view client{};  // "192.0.2.1"
  std::string_view server{};  // the virtual server's first name
  std::string_view request{};  // the request line as received
  std::string_view upstream{};  // "http://10.0.0.1:80/path"
  std::string_view host{};
  std::string_view referrer{};
};

class ErrorLog {
 public:
  /// What a line may have, its line feed included: PIPE_BUF, so that pipes take it whole. nginx
  /// cuts at 2048.
  static constexpr std::size_t kMaxLine = 4096;

  /// To standard error. `clock` outlives the log; null is the system's.
  explicit ErrorLog(Level level, LogFormat format = LogFormat::text,
                    const base::Clock* clock = nullptr) noexcept;
  /// To a descriptor that was opened for appending.
  ErrorLog(base::Fd file, Level level, LogFormat format = LogFormat::text,
           const base::Clock* clock = nullptr) noexcept;

  /// Ask first where making the message costs something.
  [[nodiscard]] bool enabled(Level level) const noexcept { return level <= level_; }

  /// From any thread. Writes, if the level is enabled,
  ///
  ///   2026/11/23 09:34:28 [error] PID#TID: *CONNECTION MESSAGE, client: 192.0.2.1, server: a.test,
  ///   request: "GET / HTTP/1.1", upstream: "http://10.0.0.1:80/", host: "a.test"
  ///
  /// on one line, or one JSON object with the same parts. A message's control characters are
  /// escaped as \xNN; a line that is too long is cut.
  void write(Level level, std::string_view message, const LogContext& context = {}) const noexcept;

  [[nodiscard]] Level level() const noexcept { return level_; }
  [[nodiscard]] LogFormat format() const noexcept { return format_; }
  /// Where the lines go: 2 for standard error.
  [[nodiscard]] int descriptor() const noexcept { return fd_; }
  /// Lines that could not be written.
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return dropped_.load(std::memory_order_relaxed);
  }

 private:
  base::Fd file_;  // empty for standard error
  int fd_;
  bool may_block_;  // not a regular file: asked before each line
  Level level_;
  LogFormat format_;
  const base::Clock* clock_;
  mutable std::atomic<std::uint64_t> dropped_{0};
};

/// The line that write() would write, line feed included. For tests, and for what is shown
/// elsewhere.
[[nodiscard]] std::string format_line(LogFormat format, Level level, base::WallTime time,
                                      int process, int thread, std::string_view message,
                                      const LogContext& context);

}  // namespace observe
