#include "accesslog/sink.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace accesslog {
namespace {

bool is_regular_file(const base::Fd& fd) noexcept {
  struct stat status{};
  return fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode);
}

/// Whole lines of at most `limit` bytes together, but at least one.
std::string_view take_lines(std::string_view lines, std::size_t limit) noexcept {
  if (lines.size() <= limit) return lines;
  const std::size_t last = lines.substr(0, limit).rfind('\n');
  const std::size_t end = last != std::string_view::npos ? last : lines.find('\n');
  return lines.substr(0, end == std::string_view::npos ? lines.size() : end + 1);
}

}  // namespace

LogFile::LogFile(base::Fd file, std::string full_name, std::size_t place)
    : fd(std::move(file)),
      name(std::move(full_name)),
      index(place),
      is_regular(is_regular_file(fd)) {}

base::Result<std::shared_ptr<const LogFile>> LogFiles::open(std::string_view path,
                                                            config::FileSource& files) {
  std::string name = files.full_name(path, config::Purpose::log_append);
  if (const auto found = by_name_.find(name); found != by_name_.end()) return found->second;
  TRY(base::Fd fd, files.open(path, config::Purpose::log_append));
  auto file = std::make_shared<const LogFile>(std::move(fd), name, by_name_.size());
  by_name_.emplace(std::move(name), file);
  return file;
}

Sink::Sink(std::shared_ptr<const LogFile> file, io::EventLoop& loop, observe::Counters& counters)
    : file_(std::move(file)), loop_(loop), counters_(counters) {}

void Sink::added() {
  if (lines_.size() >= kHeld) return flush();
  if (std::exchange(armed_, true)) return;
  loop_.timers().set(*this, loop_.now() + kDelay);
}

void Sink::flush() noexcept {
  if (std::exchange(armed_, false)) loop_.timers().set(*this, base::kNoDeadline);
  std::string_view rest = lines_;
  while (!rest.empty()) {
    // A pipe takes no more than PIPE_BUF without mixing it with what other workers write.
    const std::string_view part = file_->is_regular ? rest : take_lines(rest, PIPE_BUF);
    if (!write(part)) {
      counters_.add(observe::Counter::log_lines_dropped,
                    static_cast<std::uint64_t>(std::ranges::count(part, '\n')));
    }
    rest.remove_prefix(part.size());
  }
  lines_.clear();
  if (lines_.capacity() > 2 * kHeld) lines_.shrink_to_fit();  // after a very long line
}

bool Sink::write(std::string_view lines) noexcept {
  // What is left of a line that was cut off must not swallow the next one.
  if (torn_ && ::write(file_->fd.get(), "\n", 1) != 1) return false;
  torn_ = false;
  const ssize_t written = ::write(file_->fd.get(), lines.data(), lines.size());
  if (written == static_cast<ssize_t>(lines.size())) return true;
  if (written <= 0) return false;
  const auto kept = static_cast<std::size_t>(written);
  torn_ = lines[kept - 1] != '\n';
  counters_.add(observe::Counter::log_lines_dropped,
                static_cast<std::uint64_t>(std::ranges::count(lines.substr(kept), '\n')));
  return true;
}

}  // namespace accesslog
