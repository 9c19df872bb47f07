#include "content/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace content {
namespace {

std::unexpected<base::Error> failed(std::string_view call) {
  return base::fail(base::error_from_errno(errno, call));
}

File::Kind kind_of(const struct stat& status) noexcept {
  if (S_ISREG(status.st_mode)) return File::Kind::regular;
  return S_ISDIR(status.st_mode) ? File::Kind::directory : File::Kind::special;
}

}  // namespace

base::Result<int> Roots::directory(std::string_view path) {
  if (const auto known = roots_.find(path); known != roots_.end()) return known->second.get();
  base::Fd opened(::open(path.data(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return failed("open() failed");
  if (roots_.size() >= kMost) roots_.clear();
  if (roots_.empty()) loop_.timers().set(*this, loop_.now() + kHeld);
  return roots_.emplace(path, std::move(opened)).first->second.get();
}

base::Result<base::Fd> Roots::open_below(const FilePath& path, FollowSymlinks follow,
                                         std::uint64_t flags) {
  TRY(const int root, directory(path.directory));
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = follow == FollowSymlinks::inside ? RESOLVE_BENEATH : RESOLVE_NO_MAGICLINKS;
  // EAGAIN: somebody renamed a directory on the way. The kernel asks to try again.
  for (int tries = 0; tries < 8; ++tries) {
    base::Fd opened(
        static_cast<int>(::syscall(SYS_openat2, root, path.below.data(), &how, sizeof how)));
    if (opened) return opened;
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return failed("open() failed");
}

base::Result<File> Roots::open(const FilePath& path, FollowSymlinks follow) {
  File file;
  TRY(file.fd, open_below(path, follow, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (::fstat(file.fd.get(), &status) != 0) return failed("fstat() failed");
  file.kind = kind_of(status);
  file.size = static_cast<std::uint64_t>(status.st_size);
  file.modified = status.st_mtim.tv_sec;
  return file;
}

base::Result<File::Kind> Roots::look(const FilePath& path, FollowSymlinks follow) {
  TRY(const base::Fd seen, open_below(path, follow, O_PATH));
  struct stat status{};
  if (::fstat(seen.get(), &status) != 0) return failed("fstat() failed");
  return kind_of(status);
}

base::Result<std::size_t> read_at(const base::Fd& file, std::uint64_t offset,
                                  std::span<char> into) noexcept {
  while (true) {
    const ssize_t got = ::pread(file.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return failed("pread() failed");
  }
}

}  // namespace content
