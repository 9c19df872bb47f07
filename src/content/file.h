// Files as they are served: opened beneath a root that is held as a descriptor, without ever
// waiting for anything but the disk.
//
// openat2 with RESOLVE_BENEATH lets the kernel itself refuse what leads out of the root, at the
// moment of opening: a check beforehand could be overtaken by whoever renames. disable_symlinks on
// is RESOLVE_NO_SYMLINKS; if_not_owner is a walk that opens each name without following it, and a
// link's target by the text of the very link whose owner was looked at. Opening does not
// block on a FIFO nor take a terminal, and only a regular file is ever read.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "content/file_path.h"
#include "io/event_loop.h"
#include "io/timers.h"

struct stat;

namespace content {

/// What stands somewhere.
struct FileStatus {
  enum class Kind : std::uint8_t { regular, directory, special };
  Kind kind = Kind::special;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  // seconds since 1970
};
[[nodiscard]] FileStatus file_status(const struct ::stat& status) noexcept;

struct File : FileStatus {
  base::Fd fd;                             // its own, or none
  std::shared_ptr<const base::Fd> kept{};  // or open_file_cache's

  /// -1 for a directory that the cache tells of.
  [[nodiscard]] int descriptor() const noexcept { return kept != nullptr ? kept->get() : fd.get(); }
};

/// The roots of a worker, each held for a second after it was opened: quick to use again, and yet a
/// root that is replaced (a link to the current release) is seen soon, and no file system is kept
/// busy.
class Roots final : private io::Timer {
 public:
  explicit Roots(io::EventLoop& loop) noexcept : loop_(loop) {}
  Roots(const Roots&) = delete;
  Roots& operator=(const Roots&) = delete;
  ~Roots() { Timer::unlink(); }

  /// The Error has the errno; EXDEV: it leads out of the root; ELOOP: it has a link in it that
  /// disable_symlinks forbids.
  [[nodiscard]] base::Result<File> open(const FilePath& path, LinkRule links);
  /// What stands there, as nginx's stat(): nothing is opened.
  [[nodiscard]] base::Result<FileStatus> look(const FilePath& path, LinkRule links);

  [[nodiscard]] std::size_t held() const noexcept { return roots_.size(); }

 private:
  static constexpr std::chrono::seconds kHeld{1};
  static constexpr std::size_t kMost = 64;  // variables may make any number of them

  [[nodiscard]] base::Result<int> directory(std::string_view path);
  [[nodiscard]] base::Result<base::Fd> open_below(const FilePath& path, LinkRule links,
                                                  std::uint64_t flags);
  void on_timer() noexcept override { roots_.clear(); }

  io::EventLoop& loop_;
  std::map<std::string, base::Fd, std::less<>> roots_;
};

/// Bytes from `offset` on; 0 at the end.
[[nodiscard]] base::Result<std::size_t> read_at(int file, std::uint64_t offset,
                                                std::span<char> into) noexcept;

}  // namespace content
