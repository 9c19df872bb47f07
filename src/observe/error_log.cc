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

#include "observe/journal.h"
#include "observe/memory_log.h"
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

using Patience = Syslog::Patience;

std::atomic<std::uint64_t> all_dropped_lines{0};
std::atomic<ErrorLog::Carrier*> line_carrier{nullptr};

bool ready(int fd, Patience patience) noexcept {
  pollfd entry{.fd = fd, .events = POLLOUT, .revents = 0};
  const int longest =
      patience == Patience::some ? static_cast<int>(ErrorLog::kPatience.count()) : 0;
  return poll(&entry, 1, longest) == 1 && (entry.revents & POLLOUT) != 0;
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
  if (context.server && line.append(", server: ")) line.append_escaped(*context.server, ",\\");
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
  if (context.server && line.append(R"(","server":")")) line.append_json(*context.server);
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
int put_bytes(int fd, bool is_regular, std::string_view line, Patience patience) noexcept {
  // A pipe that has room takes a line of up to PIPE_BUF at once, so this write does not wait.
  if (!is_regular && !ready(fd, patience)) return EAGAIN;
  const ssize_t written = ::write(fd, line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return 0;
  return written < 0 ? errno : ENOSPC;
}

int put_line(const LogFile& file, Level level, std::string_view line, Patience patience) noexcept {
  if (file.descriptor() == STDERR_FILENO && stderr_is_journal()) {
    return put_bytes(STDERR_FILENO, false, fmt::format("{}{}", journal_mark(level), line),
                     patience);
  }
  return put_bytes(file.descriptor(), file.is_regular(), line, patience);
}

int put_line(const ErrorLog::Output& output, Level level, std::string_view line,
             base::WallTime time, Patience patience) noexcept {
  if (output.file != nullptr) {
    return put_line(*output.file, level, line, patience);
  }
  if (output.memory > 0) {
    MemoryLog::of_process().append(line, output.memory);
    return 0;
  }
  // nginx's levels are syslog's severities.
  const auto sent = output.syslog->send(static_cast<std::uint8_t>(level), line, time, patience);
  return sent ? 0 : sent.error().os_error;
}

Losses& losses_of(const ErrorLog::Output& output) noexcept {
  static Losses none;  // of memory: nothing is lost there
  if (output.memory > 0) return none;
  return output.file != nullptr ? output.file->losses() : output.syslog->losses();
}

void drop_one(const ErrorLog::Places& places) noexcept {
  places.dropped.fetch_add(1, std::memory_order_relaxed);
  all_dropped_lines.fetch_add(1, std::memory_order_relaxed);
}

std::string_view name_of_place(const ErrorLog::Output& output) noexcept {
  if (output.memory > 0) return "memory";
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

/// About `about`, to the other outputs; to standard error if there are none.
void tell_others(const ErrorLog::Places& places, const ErrorLog::Output& about,
                 std::string_view message) noexcept {
  const base::WallTime time = places.clock->wall();
  for (const ErrorLog::Output& output : places.outputs) {
    if (&output == &about || output.level < Level::alert) continue;
    put_line(output, Level::alert, line_of_here(output.format, Level::alert, time, message, {}),
             time, Patience::none);
  }
  if (places.outputs.size() > 1) return;
  // Standard error is the main error log's file, unless that has none.
  if (about.file != nullptr && is_same_file(about.file->descriptor(), STDERR_FILENO)) return;
  put_line(*LogFile::standard_error(), Level::alert,
           line_of_here(LogFormat::text, Level::alert, time, message, {}), Patience::none);
}

std::shared_ptr<const ErrorLog::Places> places_of(std::vector<ErrorLog::Output> outputs,
                                                  const base::Clock* clock) {
  const auto places = std::make_shared<ErrorLog::Places>();
  places->outputs = std::move(outputs);
  places->clock = clock != nullptr ? clock : &system_clock();
  return places;
}

}  // namespace

ErrorLog::ErrorLog(std::vector<Output> outputs, const base::Clock* clock)
    : places_(places_of(std::move(outputs), clock)),
      level_(std::ranges::max(places_->outputs, {}, &Output::level).level) {}

ErrorLog::ErrorLog(Level level, LogFormat format, const base::Clock* clock)
    : ErrorLog(one_output(level, format, LogFile::standard_error()), clock) {}

ErrorLog::ErrorLog(base::Fd file, Level level, LogFormat format, const base::Clock* clock)
    : ErrorLog(one_output(level, format,
                          std::make_shared<const LogFile>(std::move(file), "the error log")),
               clock) {}

int ErrorLog::descriptor() const noexcept {
  const auto found =
      std::ranges::find_if(outputs(), [](const Output& output) { return output.file != nullptr; });
  return found == outputs().end() ? STDERR_FILENO : found->file->descriptor();
}

std::uint64_t ErrorLog::all_dropped() noexcept {
  return all_dropped_lines.load(std::memory_order_relaxed);
}

void ErrorLog::carry_by(Carrier& carrier) noexcept {
  line_carrier.store(&carrier, std::memory_order_release);
}

void ErrorLog::stop_carrying(const Carrier& carrier) noexcept {
  if (line_carrier.load(std::memory_order_acquire) == &carrier) {
    line_carrier.store(nullptr, std::memory_order_release);
  }
}

bool ErrorLog::is_behind() noexcept {
  static_assert(std::atomic<Carrier*>::is_always_lock_free);
  const Carrier* const carrier = line_carrier.load(std::memory_order_acquire);
  return carrier != nullptr && carrier->is_behind();
}

void ErrorLog::write(Level level, std::string_view message,
                     const LogContext& context) const noexcept {
  if (!enabled(level)) return;
  const base::WallTime time = places_->clock->wall();
  Carrier* const carrier = line_carrier.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < outputs().size(); ++i) {
    const Output& output = outputs()[i];
    if (level > output.level) continue;
    Line line{.places = places_,
              .output = i,
              .level = level,
              .time = time,
              .text = line_of_here(output.format, level, time, message, context)};
    if (carrier == nullptr) {
      line.put(Patience::none);
    } else if (!carrier->carry(std::move(line))) {
      drop_one(*places_);
    }
  }
}

void ErrorLog::Line::put(Patience patience) const noexcept {
  const Output& to = places->outputs[output];
  Losses& losses = losses_of(to);
  if (losses.failing()) patience = Patience::none;
  const int failure = put_line(to, level, text, time, patience);
  if (failure != 0) {
    drop_one(*places);
    if (losses.lose(1, places->clock->now())) {
      tell_others(
          *places, to,
          fmt::format("write() to error log \"{}\" {}, lines are dropped", name_of_place(to),
                      base::describe(base::error_from_errno(failure, "failed"))));
    }
    return;
  }
  if (!losses.failing()) return;
  if (const std::uint64_t lost = losses.recover(places->clock->now())) {
    const std::string told = fmt::format("error log \"{}\" is written again, {} lines were lost",
                                         name_of_place(to), lost);
    const base::WallTime now = places->clock->wall();
    put_line(to, Level::alert, line_of_here(to.format, Level::alert, now, told, {}), now,
             Patience::none);
    tell_others(*places, to, told);
  }
}

void ErrorLog::Line::tell_crowded_out(std::uint64_t lines) const noexcept {
  const base::WallTime now = places->clock->wall();
  const Output& to = places->outputs[output];
  if (to.level < Level::alert) return;
  const std::string told = fmt::format(
      "{} lines of error log \"{}\" were dropped: too many were waiting, as its or "
      "another log's disk was slow",
      lines, name_of_place(to));
  Line{.places = places,
       .output = output,
       .level = Level::alert,
       .time = now,
       .text = line_of_here(to.format, Level::alert, now, told, {})}
      .put(Patience::none);
}

}  // namespace observe
