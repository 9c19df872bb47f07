#include "content/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "base/text.h"

namespace content {
namespace {

std::unexpected<base::Error> failed(std::string_view call) {
  return base::fail(base::error_from_errno(errno, call));
}

base::Result<FileStatus> status_of(const base::Fd& fd) {
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return failed("fstat() failed");
  return file_status(status);
}

base::Result<base::Fd> open_at(int directory, const char* name, std::uint64_t flags,
                               std::uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  // EAGAIN: somebody renamed a directory on the way. The kernel asks to try again.
  for (int tries = 0; tries < 8; ++tries) {
    base::Fd opened(static_cast<int>(::syscall(SYS_openat2, directory, name, &how, sizeof how)));
    if (opened) return opened;
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return failed("open() failed");
}

base::Result<uid_t> owner_of(const base::Fd& fd) {
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return failed("fstat() failed");
  return status.st_uid;
}

// What a link leads to, if both have one owner. `link` is the link itself, in `directory`.
base::Result<base::Fd> follow_own(int directory, const base::Fd& link, std::uint64_t flags) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlinkat(link.get(), "", target.data(), target.size() - 1);
  if (size < 0) return failed("readlinkat() failed");
  TRY(const uid_t owner, owner_of(link));
  TRY(base::Fd opened, open_at(directory, target.data(), flags, RESOLVE_NO_MAGICLINKS));
  TRY(const uid_t owner_there, owner_of(opened));
  if (owner != owner_there) return base::fail(base::error_from_errno(ELOOP, "open() failed"));
  return opened;
}

// The names of `path` one after the other, none of them followed unseen. `path` is relative and not
// empty.
base::Result<base::Fd> open_by_owner(int directory, std::string_view path, std::uint64_t flags) {
  base::Fd held;
  while (true) {
    const std::string name(base::split_first(path, '/'));
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const bool is_last = path.empty();
    TRY(base::Fd seen, open_at(directory, name.c_str(), O_PATH | O_NOFOLLOW, 0));
    struct stat status{};
    if (::fstat(seen.get(), &status) != 0) return failed("fstat() failed");
    if (S_ISLNK(status.st_mode)) {
      TRY(seen, follow_own(directory, seen, is_last ? flags : O_PATH));
      if (is_last) return seen;
    } else if (is_last) {
      // A link that took the name's place meanwhile is refused.
      if ((flags & O_PATH) != 0) return seen;
      return open_at(directory, name.c_str(), flags | O_NOFOLLOW, 0);
    }
    held = std::move(seen);
    directory = held.get();
  }
}

}  // namespace

FileStatus file_status(const struct stat& status) noexcept {
  FileStatus told;
  if (S_ISREG(status.st_mode)) told.kind = FileStatus::Kind::regular;
  if (S_ISDIR(status.st_mode)) told.kind = FileStatus::Kind::directory;
  told.size = static_cast<std::uint64_t>(status.st_size);
  told.modified = status.st_mtim.tv_sec;
  return told;
}

base::Result<int> Roots::directory(std::string_view path) {
  if (const auto known = roots_.find(path); known != roots_.end()) return known->second.get();
  std::string name(path);
  base::Fd opened(::open(name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return failed("open() failed");
  if (roots_.size() >= kMost) roots_.clear();
  if (roots_.empty()) loop_.timers().set(*this, loop_.now() + kHeld);
  return roots_.emplace(std::move(name), std::move(opened)).first->second.get();
}

base::Result<base::Fd> Roots::open_below(const FilePath& path, LinkRule links,
                                         std::uint64_t flags) {
  if (links.disable == DisableSymlinks::off) {
    TRY(const int root, directory(path.directory));
    return open_at(
        root, path.below.data(), flags,
        links.follow == FollowSymlinks::inside ? RESOLVE_BENEATH : RESOLVE_NO_MAGICLINKS);
  }
  const std::string_view free = path.shown.substr(0, path.unchecked);
  TRY(const int start, directory(free.empty() ? "/" : free));
  std::string checked(path.shown.substr(free.size()));
  checked.erase(0, std::min(checked.find_first_not_of('/'), checked.size()));
  if (checked.empty()) checked = ".";
  if (links.disable == DisableSymlinks::on) {
    return open_at(start, checked.c_str(), flags, RESOLVE_NO_SYMLINKS);
  }
  return open_by_owner(start, checked, flags);
}

base::Result<File> Roots::open(const FilePath& path, LinkRule links) {
  File file;
  TRY(file.fd, open_below(path, links, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  TRY(static_cast<FileStatus&>(file), status_of(file.fd));
  return file;
}

base::Result<FileStatus> Roots::look(const FilePath& path, LinkRule links) {
  TRY(const base::Fd seen, open_below(path, links, O_PATH));
  return status_of(seen);
}

base::Result<std::size_t> read_at(int file, std::uint64_t offset, std::span<char> into) noexcept {
  while (true) {
    const ssize_t got = ::pread(file, into.data(), into.size(), static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return failed("pread() failed");
  }
}

}  // namespace content
