#include "admission/user_files.h"

#include <fcntl.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "config/file_source.h"

namespace admission {
namespace {

// A file system's clock may tick this slowly: what changes twice within a tick looks unchanged.
constexpr std::int64_t kTick = 50'000'000;  // nanoseconds

std::int64_t nanoseconds(const timespec& time) noexcept {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

bool is_sound_name(std::string_view name) noexcept {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; };
  if (name.size() > UserFiles::kLongestName || std::ranges::any_of(name, is_control)) return false;
  for (std::string_view rest = name; !rest.empty();) {
    if (base::split_first(rest, '/') == "..") return false;
  }
  return true;
}

}  // namespace

UserFile::UserFile(std::string text) : text_(std::move(text)) {
  for (std::string_view rest = text_; !rest.empty();) {
    const std::string_view line = base::split_first(rest, '\n');
    if (line.starts_with('#')) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    std::string_view password = line.substr(colon + 1);
    password = password.substr(0, password.find_first_of(":\r"));
    if (example_.empty()) example_ = password;
    users_.push_back({line.substr(0, colon), users_.size(), password});
  }
  std::ranges::sort(users_, {}, &User::order);
}

std::optional<std::string_view> UserFile::find(std::string_view user) const {
  const auto found = std::ranges::lower_bound(users_, user, {}, &User::name);
  if (found == users_.end() || found->name != user) return std::nullopt;
  return found->password;
}

UserFiles::Identity UserFiles::identity_of(const struct stat& status) noexcept {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = status.st_size,
          .modified = nanoseconds(status.st_mtim),
          .changed = nanoseconds(status.st_ctim)};
}

// The descriptor that is held, if that is the file; it needs no permission.
base::Result<base::Fd> UserFiles::open(const NamedUserFile& named, const Identity& wanted) {
  struct stat status{};
  if (named.held != nullptr && ::fstat(named.held->get(), &status) == 0 &&
      status.st_dev == wanted.device && status.st_ino == wanted.inode) {
    base::Fd copy = named.held->duplicate();
    if (!copy) return base::fail(base::error_from_errno(errno));
    return copy;
  }
  // Without blocking: it may be a pipe, which is refused then.
  const std::string name(named.name);
  base::Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return base::fail(base::error_from_errno(errno));
  return fd;
}

base::Result<std::shared_ptr<const UserFile>> UserFiles::get(const NamedUserFile& named) {
  if (!is_sound_name(named.name)) return base::fail(base::ErrorCode::invalid, "is no file's name");
  std::string name(named.name);
  struct stat status{};
  if (::stat(name.c_str(), &status) != 0) {
    // Where `user` may not even look, what the supervisor opened is the file.
    if (errno != EACCES || named.held == nullptr) return base::fail(base::error_from_errno(errno));
    if (::fstat(named.held->get(), &status) != 0) return base::fail(base::error_from_errno(errno));
  }
  const Identity identity = identity_of(status);
  const Entry* const known = entries_.find(name);
  if (known != nullptr && known->settled && known->identity == identity) return known->file;
  TRY(const base::Fd fd, open(named, identity));
  if (::fstat(fd.get(), &status) != 0) return base::fail(base::error_from_errno(errno));
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  Entry entry{.identity = identity_of(status)};
  entry.settled =
      nanoseconds(now) - std::max(entry.identity.modified, entry.identity.changed) > kTick;
  TRY(std::string text, config::read_all(fd, kLargestFile));
  entry.file = std::make_shared<const UserFile>(std::move(text));
  return entries_.put(std::move(name), std::move(entry)).file;
}

}  // namespace admission
