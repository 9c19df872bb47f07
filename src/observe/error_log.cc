#include "observe/error_log.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "observe/redact.h"
#include "observe/time_text.h"

namespace observe {
namespace {

constexpr std::array<std::string_view, 8> kLevels = {"emerg", "alert",  "crit", "error",
                                                     "warn",  "notice", "info", "debug"};

const base::Clock& system_clock() {
  static const base::SystemClock clock;
  return clock;
}

std::atomic<std::uint64_t> all_dropped_lines{0};

bool ready(int fd) noexcept {
  pollfd entry{.fd = fd, .events = POLLOUT, .revents = 0};
  return poll(&entry, 1, 0) == 1 && (entry.revents & POLLOUT) != 0;
}

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// Length of the valid UTF-8 sequence that begins `text` (RFC 3629), 0 if there is none.
std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto continues = [byte](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return text.empty() ? 0 : 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = first == 0xed && byte(1) >= 0xa0;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && byte(1) < 0x90;
    const bool beyond = first == 0xf4 && byte(1) >= 0x90;
    return continues(1) && continues(2) && continues(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

// A line that is cut where it would pass kMaxLine, and never in the middle of an escape.
class Line {
 public:
  /// `reserved` bytes stay free for what must close the line.
  explicit Line(std::size_t reserved) : limit_(ErrorLog::kMaxLine - reserved) {
    text_.reserve(ErrorLog::kMaxLine);
  }

  bool append(std::string_view piece) {
    if (text_.size() + piece.size() > limit_) return false;
    text_ += piece;
    return true;
  }
  /// `also`: characters that are escaped beside the control characters.
  void append_escaped(std::string_view piece, std::string_view also) {
    for (const char c : piece) {
      const bool escape = is_control(c) || also.find(c) != std::string_view::npos;
      if (escape ? !append(fmt::format("\\x{:02X}", static_cast<unsigned char>(c)))
                 : !append({&c, 1})) {
        return;
      }
    }
  }
  void append_json(std::string_view piece) {
    while (!piece.empty()) {
      const std::size_t length = utf8_length(piece);
      const char c = piece.front();
      bool fits = false;
      if (length == 0) {
        fits = append("\\ufffd");
      } else if (is_control(c)) {
        fits = append(fmt::format("\\u{:04x}", static_cast<unsigned char>(c)));
      } else if (c == '"' || c == '\\') {
        fits = append(c == '"' ? "\\\"" : "\\\\");
      } else {
        fits = append(piece.substr(0, length));
      }
      if (!fits) return;
      piece.remove_prefix(std::max<std::size_t>(length, 1));
    }
  }
  /// Goes into what was reserved.
  std::string close(std::string_view end) && {
    text_ += end;
    return std::move(text_);
  }

 private:
  std::string text_;
  std::size_t limit_;
};

std::string format_text(Level level, base::WallTime time, int process, int thread,
                        std::string_view message, const LogContext& context) {
  Line line(2);  // a closing quote and the line feed
  line.append(fmt::format("{} [{}] {}#{}: ", local_time_texts(time).error_log, name_of(level),
                          process, thread));
  if (context.connection != 0) line.append(fmt::format("*{} ", context.connection));
  line.append_escaped(message, "");
  const auto bare = [&line](std::string_view name, std::string_view value) {
    if (!value.empty() && line.append(name)) line.append_escaped(value, ",\\");
  };
  const auto quoted = [&line](std::string_view name, std::string_view value) {
    if (value.empty() || !line.append(name)) return;
    line.append_escaped(value, "\"\\");
    line.append("\"");
  };
  bare(", client: ", context.client);
  bare(", server: ", context.server);
  quoted(", request: \"", context.request);
  quoted(", upstream: \"", context.upstream);
  quoted(", host: \"", context.host);
  quoted(", referrer: \"", context.referrer);
  return std::move(line).close("\n");
}

std::string format_json(Level level, base::WallTime time, int process, int thread,
                        std::string_view message, const LogContext& context) {
  constexpr std::string_view kEnd = "\"}\n";
  Line line(kEnd.size());
  line.append(fmt::format(R"({{"time":"{}","level":"{}","pid":{},"tid":{},)",
                          local_time_texts(time).iso8601, name_of(level), process, thread));
  if (context.connection != 0) line.append(fmt::format("\"connection\":{},", context.connection));
  line.append("\"message\":\"");
  line.append_json(message);
  // Each value is left open: the next name, or the end, closes it.
  const auto field = [&line](std::string_view opening, std::string_view value) {
    if (!value.empty() && line.append(opening)) line.append_json(value);
  };
  field(R"(","client":")", context.client);
  field(R"(","server":")", context.server);
  field(R"(","request":")", context.request);
  field(R"(","upstream":")", context.upstream);
  field(R"(","host":")", context.host);
  field(R"(","referrer":")", context.referrer);
  return std::move(line).close(kEnd);
}

}  // namespace

std::string_view name_of(Level level) noexcept { return kLevels[static_cast<std::size_t>(level)]; }

std::optional<Level> parse_level(std::string_view word) noexcept {
  const auto found = std::ranges::find(kLevels, word);
  if (found == kLevels.end()) return std::nullopt;
  return static_cast<Level>(found - kLevels.begin());
}

std::string format_line(LogFormat format, Level level, base::WallTime time, int process, int thread,
                        std::string_view message, const LogContext& context) {
  // Longer ones are cut anyhow; this bounds the work.
  const std::string clean = redact_field_lines(message.substr(0, ErrorLog::kMaxLine));
  return format == LogFormat::json ? format_json(level, time, process, thread, clean, context)
                                   : format_text(level, time, process, thread, clean, context);
}

namespace {

std::vector<ErrorLog::Output> one_output(Level level, LogFormat format,
                                         std::shared_ptr<const LogFile> file) {
  std::vector<ErrorLog::Output> outputs;
  outputs.push_back({.level = level, .format = format, .file = std::move(file)});
  return outputs;
}

/// errno of the failure, 0 if all of the line was written.
int put(int fd, bool is_regular, std::string_view line) noexcept {
  // A pipe that has room takes a line of up to PIPE_BUF at once, so this write does not wait.
  if (!is_regular && !ready(fd)) return EAGAIN;
  const ssize_t written = ::write(fd, line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return 0;
  return written < 0 ? errno : ENOSPC;
}

int put(const ErrorLog::Output& output, Level level, std::string_view line,
        base::WallTime time) noexcept {
  if (output.file != nullptr) {
    return put(output.file->descriptor(), output.file->is_regular(), line);
  }
  // nginx's levels are syslog's severities.
  const auto sent =
      output.syslog->send(static_cast<std::uint8_t>(level), line, time, Syslog::Patience::none);
  return sent ? 0 : sent.error().os_error;
}

Losses& losses_of(const ErrorLog::Output& output) noexcept {
  return output.file != nullptr ? output.file->losses() : output.syslog->losses();
}

std::string_view name_of_place(const ErrorLog::Output& output) noexcept {
  return output.file != nullptr ? std::string_view(output.file->name())
                                : std::string_view(output.syslog->options().name);
}

bool is_same_file(int one, int other) noexcept {
  struct stat a{};
  struct stat b{};
  return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

std::string line_of_here(LogFormat format, Level level, base::WallTime time,
                         std::string_view message, const LogContext& context) {
  return format_line(format, level, time, static_cast<int>(::getpid()),
                     static_cast<int>(::syscall(SYS_gettid)), message, context);
}

}  // namespace

ErrorLog::ErrorLog(std::vector<Output> outputs, const base::Clock* clock)
    : outputs_(std::move(outputs)),
      level_(std::ranges::max(outputs_, {}, &Output::level).level),
      clock_(clock != nullptr ? clock : &system_clock()) {}

ErrorLog::ErrorLog(Level level, LogFormat format, const base::Clock* clock)
    : ErrorLog(one_output(level, format, LogFile::standard_error()), clock) {}

ErrorLog::ErrorLog(base::Fd file, Level level, LogFormat format, const base::Clock* clock)
    : ErrorLog(one_output(level, format,
                          std::make_shared<const LogFile>(std::move(file), "the error log")),
               clock) {}

int ErrorLog::descriptor() const noexcept {
  const auto found =
      std::ranges::find_if(outputs_, [](const Output& output) { return output.file != nullptr; });
  return found == outputs_.end() ? STDERR_FILENO : found->file->descriptor();
}

std::uint64_t ErrorLog::all_dropped() noexcept {
  return all_dropped_lines.load(std::memory_order_relaxed);
}

void ErrorLog::write(Level level, std::string_view message,
                     const LogContext& context) const noexcept {
  if (!enabled(level)) return;
  for (const Output& output : outputs_) {
    if (level <= output.level) write_to(output, level, message, context);
  }
}

void ErrorLog::write_to(const Output& output, Level level, std::string_view message,
                        const LogContext& context) const noexcept {
  const base::WallTime time = clock_->wall();
  Losses& losses = losses_of(output);
  const int failure =
      put(output, level, line_of_here(output.format, level, time, message, context), time);
  if (failure != 0) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    all_dropped_lines.fetch_add(1, std::memory_order_relaxed);
    if (losses.lose(1, clock_->now())) {
      tell_others(output, fmt::format("write() to error log \"{}\" {}, lines are dropped",
                                      name_of_place(output),
                                      base::describe(base::error_from_errno(failure, "failed"))));
    }
    return;
  }
  if (!losses.failing()) return;
  if (const std::uint64_t lost = losses.recover(clock_->now())) {
    const std::string told = fmt::format("error log \"{}\" is written again, {} lines were lost",
                                         name_of_place(output), lost);
    put(output, Level::alert, line_of_here(output.format, Level::alert, time, told, {}), time);
    tell_others(output, told);
  }
}

void ErrorLog::tell_others(const Output& about, std::string_view message) const noexcept {
  const base::WallTime time = clock_->wall();
  for (const Output& output : outputs_) {
    if (&output == &about || output.level < Level::alert) continue;
    put(output, Level::alert, line_of_here(output.format, Level::alert, time, message, {}), time);
  }
  if (outputs_.size() > 1) return;
  // Standard error is the main error log's file, unless that has none.
  if (about.file != nullptr && is_same_file(about.file->descriptor(), STDERR_FILENO)) return;
  put(STDERR_FILENO, false, line_of_here(LogFormat::text, Level::alert, time, message, {}));
}

}  // namespace observe
