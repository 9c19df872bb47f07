// ErrorLog: where the program tells its administrator what went wrong. One or several outputs (a
// file, standard error, syslog), each with its level and format; a line leaves in one write(2) or
// one datagram, so that lines of several threads and processes never mix.
//
// It must not hurt traffic: a full disk, a reader or a syslog server that has gone drops the line
// and counts it, a pipe that is full is not waited for. What was dropped is told once when it
// begins, to another output or to standard error, and once when it is over. Lines are bounded,
// control characters escaped, and the values of Authorization, Cookie and their kind are taken out
// whoever wrote them into the message (redact.h).
//
// A line is made by whoever has something to say. Where the process has a Carrier (the server
// process: its log thread), that one writes it, so that no worker waits for a disk that hangs; the
// supervisor, and a process that has not begun to serve, write in place. What the Carrier can't
// take is dropped and counted like what can't be written. A crash report waits a moment for what is
// on its way: is_behind().
//
// An ErrorLog never changes after it is made, so all threads share it without a lock. Reloading the
// configuration makes a new one; reopening changes what its LogFiles mean.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "observe/log_file.h"
#include "observe/syslog.h"

namespace observe {

/// nginx's, the gravest first.
enum class Level : std::uint8_t { emerg, alert, crit, error, warn, notice, info, debug };

/// "emerg", ..., "debug".
[[nodiscard]] std::string_view name_of(Level level) noexcept;
[[nodiscard]] std::optional<Level> parse_level(std::string_view word) noexcept;

enum class LogFormat : std::uint8_t { text, json };

/// What a message is about. Empty fields are left out of the line, but for a server without a name
/// (nginx: "server: , "); `connection` 0 is none.
struct LogContext {
  std::uint64_t connection = 0;
  std::string_view client{};  // "192.0.2.1"
  std::optional<std::string_view> server{};  // the virtual server's first name
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

  /// One place; exactly one of `file`, `syslog` and `memory` is set.
  struct Output {
    Level level = Level::error;
    LogFormat format = LogFormat::text;
    std::shared_ptr<const LogFile> file{};
    std::shared_ptr<const Syslog> syslog{};
    std::size_t memory = 0;  // bytes of the process's MemoryLog
  };

  /// The places of one log: what its lines on their way hold.
  struct Places {
    std::vector<Output> outputs;
    const base::Clock* clock;
    mutable std::atomic<std::uint64_t> dropped{0};
  };
  /// A line for one output.
  struct Line {
    std::shared_ptr<const Places> places;
    std::size_t output;
    Level level;
    base::WallTime time;
    std::string text;

    /// Writes it, and tells of losses. One thread's at a time for each place, or lines change
    /// places; `some` waits for kPatience where that may help.
    void put(Syslog::Patience patience) const noexcept;
    /// Writes in its place that `lines` of this output were dropped since too many were waiting.
    void tell_crowded_out(std::uint64_t lines) const noexcept;
  };
  /// How long a patient put() waits for a pipe that is full.
  static constexpr std::chrono::milliseconds kPatience{100};

  /// Whoever writes lines for the threads of this process; it keeps their order.
  class Carrier {
   public:
    virtual ~Carrier() = default;
    /// From any thread, which does not wait. False, and the line is lost, if too many are waiting.
    [[nodiscard]] virtual bool carry(Line line) = 0;
    /// Something is taken and not written yet. Async-signal-safe.
    [[nodiscard]] virtual bool is_behind() const noexcept = 0;
  };
  /// Of the whole process, from now on, until stop_carrying().
  static void carry_by(Carrier& carrier) noexcept;
  /// If it is that one, lines are written in place again. No other thread writes meanwhile.
  static void stop_carrying(const Carrier& carrier) noexcept;
  /// Lines are on their way. Async-signal-safe.
  [[nodiscard]] static bool is_behind() noexcept;

  /// At least one output. `clock` outlives the log and its lines; null is the system's.
  explicit ErrorLog(std::vector<Output> outputs, const base::Clock* clock = nullptr);
  /// To standard error alone.
  explicit ErrorLog(Level level, LogFormat format = LogFormat::text,
                    const base::Clock* clock = nullptr);
  /// To a descriptor alone that was opened for appending.
  ErrorLog(base::Fd file, Level level, LogFormat format = LogFormat::text,
           const base::Clock* clock = nullptr);

  /// Ask first where making the message costs something.
  [[nodiscard]] bool enabled(Level level) const noexcept { return level <= level_; }

  /// From any thread. Writes, to each output whose level enables it,
  ///
  ///   2026/11/23 09:34:28 [error] PID#TID: *CONNECTION MESSAGE, client: 192.0.2.1, server: a.test,
  ///   request: "GET / HTTP/1.1", upstream: "http://10.0.0.1:80/", host: "a.test"
  ///
  /// on one line, or one JSON object with the same parts. A message's control characters are
  /// escaped as \xNN; a line that is too long is cut.
  void write(Level level, std::string_view message, const LogContext& context = {}) const noexcept;

  /// The most talkative of its outputs' levels.
  [[nodiscard]] Level level() const noexcept { return level_; }
  [[nodiscard]] std::span<const Output> outputs() const noexcept { return places_->outputs; }
  /// The first file's; 2 if there is none.
  [[nodiscard]] int descriptor() const noexcept;
  /// Lines that could not be written; one that fails at two outputs counts twice.
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return places_->dropped.load(std::memory_order_relaxed);
  }
  /// The same of all error logs that this process ever had.
  [[nodiscard]] static std::uint64_t all_dropped() noexcept;

 private:
  std::shared_ptr<const Places> places_;
  Level level_;
};

/// The line that write() would write, line feed included. For tests, and for what is shown
/// elsewhere.
[[nodiscard]] std::string format_line(LogFormat format, Level level, base::WallTime time,
                                      int process, int thread, std::string_view message,
                                      const LogContext& context);

}  // namespace observe
