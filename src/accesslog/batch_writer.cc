#include "accesslog/batch_writer.h"

#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/gzip.h"

namespace accesslog {
namespace {

std::uint64_t count_lines(std::string_view text) noexcept {
  return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

/// Whole lines of at most `limit` bytes together, but at least one.
std::string_view take_lines(std::string_view lines, std::size_t limit) noexcept {
  if (lines.size() <= limit) return lines;
  const std::size_t last = lines.substr(0, limit).rfind('\n');
  const std::size_t end = last != std::string_view::npos ? last : lines.find('\n');
  return lines.substr(0, end == std::string_view::npos ? lines.size() : end + 1);
}

/// For a moment, if `patient`.
bool wait_for_room(int fd, bool patient) noexcept {
  pollfd entry{.fd = fd, .events = POLLOUT, .revents = 0};
  const int longest = patient ? static_cast<int>(BatchWriter::kPatience.count()) : 0;
  return ::poll(&entry, 1, longest) == 1 && (entry.revents & POLLOUT) != 0;
}

struct Written {
  std::size_t size = 0;
  int failure = 0;  // errno, if that is not all
};

Written write_all(int fd, std::string_view bytes, bool patient) noexcept {
  Written written;
  while (written.size < bytes.size()) {
    const std::string_view rest = bytes.substr(written.size);
    const ssize_t size = ::write(fd, rest.data(), rest.size());
    if (size > 0) {
      written.size += static_cast<std::size_t>(size);
    } else if (size == 0 || errno != EAGAIN || !wait_for_room(fd, patient)) {
      written.failure = size == 0 ? ENOSPC : errno;
      break;
    }
  }
  return written;
}

/// A gzip member that is not whole would make all that follows unreadable.
void take_back(int fd, std::size_t size) noexcept {
  struct stat status{};
  const off_t end = ::lseek(fd, 0, SEEK_CUR);
  // Only if nobody has written behind it.
  if (end < static_cast<off_t>(size) || ::fstat(fd, &status) != 0 || status.st_size != end) return;
  [[maybe_unused]] const int done = ::ftruncate(fd, end - static_cast<off_t>(size));
}

}  // namespace

void BatchWriter::write(const Batch& batch) {
  const Target& target = *batch.target;
  if (batch.crowded_out > 0) tell_lost(target, batch.crowded_out, "too many lines are waiting");
  if (batch.unnamed > 0) {
    tell_lost(target, batch.unnamed, "a value has a \"/\" or a control character, or is a \"..\"");
  }
  if (batch.text.empty()) return;
  if (target.paths != nullptr) return write_runs(batch);
  if (target.syslog != nullptr) return settle(target, target.name, send(target, batch.text));
  const observe::LogFile& file = *target.file;
  settle(target, target.name,
         append({.fd = file.descriptor(), .is_regular = file.is_regular()}, target, batch.text));
}

void BatchWriter::write_runs(const Batch& batch) {
  const Target& target = *batch.target;
  std::string_view rest = batch.text;
  for (const Batch::Run& run : batch.runs) {
    const std::string_view lines = rest.substr(0, run.size);
    rest.remove_prefix(lines.size());
    const auto file = target.paths->open(run.path, clock_.now());
    if (file) {
      target.torn = false;  // of another file, if at all
      settle(target, run.path, append(*file, target, lines));
    } else {
      settle(target, run.path, {.lost = count_lines(lines), .failure = file.error().os_error});
    }
  }
}

BatchWriter::Outcome BatchWriter::send(const Target& target, std::string_view text) const {
  const observe::Syslog& syslog = *target.syslog;
  Outcome outcome;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const bool patient = outcome.failure == 0 && !target.losses().failing();
    const auto sent =
        syslog.send(syslog.options().severity, line, clock_.wall(),
                    patient ? observe::Syslog::Patience::some : observe::Syslog::Patience::none);
    if (sent) continue;
    ++outcome.lost;
    outcome.failure = sent.error().os_error;
  }
  return outcome;
}

BatchWriter::Outcome BatchWriter::append(PathFiles::File file, const Target& target,
                                         std::string_view text) {
  const int gzip_level = target.gathering.gzip_level;
  Outcome outcome;
  while (!text.empty()) {
    // A pipe takes no more than PIPE_BUF without mixing it with what others write.
    const std::string_view part = file.is_regular ? text : take_lines(text, PIPE_BUF);
    text.remove_prefix(part.size());
    const bool patient = outcome.failure == 0 && !target.losses().failing();
    // What is left of a line that was cut off must not swallow the next one.
    if (target.torn && write_all(file.fd, "\n", patient).failure != 0) {
      outcome.lost += count_lines(part);
      outcome.failure = ENOSPC;
      continue;
    }
    target.torn = false;
    const std::string packed = gzip_level > 0 ? base::gzip(part, gzip_level) : std::string();
    const std::string_view bytes = gzip_level > 0 ? std::string_view(packed) : part;
    const Written written = write_all(file.fd, bytes, patient);
    if (written.failure == 0) continue;
    outcome.failure = written.failure;
    if (gzip_level > 0) {
      outcome.lost += count_lines(part);
      if (written.size > 0 && file.is_regular) take_back(file.fd, written.size);
      continue;
    }
    target.torn = written.size > 0 && part[written.size - 1] != '\n';
    outcome.lost += count_lines(part.substr(written.size));
  }
  return outcome;
}

void BatchWriter::settle(const Target& target, std::string_view name, const Outcome& outcome) {
  if (outcome.lost > 0) {
    counters_.add(observe::Counter::log_lines_dropped, outcome.lost);
    if (target.losses().lose(outcome.lost, clock_.now())) {
      tell(observe::Level::alert,
           fmt::format("write() to access log \"{}\" {}, lines are dropped", name,
                       base::describe(base::error_from_errno(outcome.failure, "failed"))));
    }
    return;
  }
  if (!target.losses().failing()) return;
  if (const std::uint64_t lost = target.losses().recover(clock_.now())) {
    tell(observe::Level::error,
         fmt::format("access log \"{}\" is written again, {} lines were lost", name, lost));
  }
}

void BatchWriter::tell_lost(const Target& target, std::uint64_t lines, std::string_view why) {
  if (!target.losses().lose(lines, clock_.now())) return;
  tell(observe::Level::alert,
       fmt::format("lines of access log \"{}\" are dropped: {}", target.name, why));
}

void BatchWriter::tell(observe::Level level, std::string_view message) const {
  if (log_ != nullptr) log_->write(level, message);
}

}  // namespace accesslog
