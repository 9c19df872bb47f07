#include "accesslog/path_files.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

namespace accesslog {
namespace {

// As the logs that the supervisor opens: they tell who visited what.
constexpr mode_t kMode = 0640;

bool is_still(const std::string& path, const struct stat& file) {
  struct stat now{};
  return ::stat(path.c_str(), &now) == 0 && now.st_dev == file.st_dev && now.st_ino == file.st_ino;
}

}  // namespace

base::Result<PathFiles::Opened> PathFiles::open_file(const std::string& path) {
  Opened opened;
  opened.fd = base::Fd(::open(
      path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, kMode));
  if (!opened.fd || ::fstat(opened.fd.get(), &opened.status) != 0) {
    return base::fail(base::error_from_errno(errno, "failed"));
  }
  return opened;
}

base::Result<PathFiles::File> PathFiles::open(const std::string& path, base::TimePoint now) {
  const auto file_of = [](const Opened& opened) {
    return File{.fd = opened.fd.get(), .is_regular = S_ISREG(opened.status.st_mode)};
  };
  passing_ = {};
  if (options_.max == 0) {
    TRY(passing_, open_file(path));
    return file_of(passing_);
  }
  Entry& entry = entry_of(path, now);
  if (entry.file.fd && now - entry.checked >= options_.valid) {
    entry.checked = now;
    if (!is_still(path, entry.file.status)) entry.file = {};
  }
  if (entry.file.fd) return file_of(entry.file);
  TRY(Opened opened, open_file(path));
  Opened& place = entry.uses >= options_.min_uses ? entry.file : passing_;
  place = std::move(opened);
  entry.checked = now;
  return file_of(place);
}

PathFiles::Entry& PathFiles::entry_of(const std::string& path, base::TimePoint now) {
  while (!entries_.empty() && now - entries_.back().used >= options_.inactive) forget_last();
  const auto found = by_path_.find(path);
  if (found != by_path_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
  } else {
    if (entries_.size() >= options_.max) forget_last();
    entries_.push_front({.path = path});
    by_path_.emplace(entries_.front().path, entries_.begin());
  }
  Entry& entry = entries_.front();
  ++entry.uses;
  entry.used = now;
  return entry;
}

void PathFiles::forget_last() {
  by_path_.erase(entries_.back().path);
  entries_.pop_back();
}

void PathFiles::clear() {
  passing_ = {};
  by_path_.clear();
  entries_.clear();
}

}  // namespace accesslog
