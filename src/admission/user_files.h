// UserFiles: the files of auth_basic_user_file, as one worker has them in memory.
//
// A file is looked at (stat) for every request and read again when it has changed, so a change
// takes effect at once and without a reload, as with nginx. A file that the configuration names was
// opened when that was loaded, by the supervisor: it may be one that `user` can't read, and a
// change in place is seen through that descriptor. A file that was put in its place, or one whose
// name has variables, is opened as `user`.
//
// Names may come from clients: they are looked at before the disk is, and all is bounded.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/lru_cache.h"
#include "base/result.h"

namespace admission {

/// The lines of a file: "user:password[:comment]", '#' begins a comment. Of two lines for a user
/// the first counts.
class UserFile {
 public:
  explicit UserFile(std::string text);
  UserFile(const UserFile&) = delete;
  UserFile& operator=(const UserFile&) = delete;

  /// How the user's password is stored.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view user) const;
  /// Some user's: to spend on an unknown user what a wrong password costs. Empty if there is none.
  [[nodiscard]] std::string_view example() const noexcept { return example_; }

 private:
  const std::string text_;
  struct User {
    std::string_view name;
    std::size_t place;  // in the file
    std::string_view password;
    [[nodiscard]] std::pair<std::string_view, std::size_t> order() const { return {name, place}; }
  };
  std::vector<User> users_;  // by name; of two of one name the first line's stands first
  std::string_view example_;
};

/// What auth_basic_user_file names.
struct NamedUserFile {
  std::string_view name;  // the full name
  const base::Fd* held = nullptr;  // opened when the configuration was loaded
};

class UserFiles {
 public:
  static constexpr std::size_t kMostFiles = 64;
  static constexpr std::size_t kLargestFile = std::size_t{16} << 20;
  static constexpr std::size_t kLongestName = 1024;

  /// Errors have the errno: of the file that is not there, or may not be opened; others are
  /// invalid (a name that is none) and too_large.
  [[nodiscard]] base::Result<std::shared_ptr<const UserFile>> get(const NamedUserFile& named);

 private:
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified = 0;  // nanoseconds
    std::int64_t changed = 0;
    bool operator==(const Identity&) const = default;
  };
  struct Entry {
    Identity identity;
    bool settled = false;  // it had not changed for a while when it was read
    std::shared_ptr<const UserFile> file{};
  };
  [[nodiscard]] static Identity identity_of(const struct stat& status) noexcept;
  [[nodiscard]] static base::Result<base::Fd> open(const NamedUserFile& named,
                                                   const Identity& wanted);

  base::LruCache<std::string, Entry> entries_{kMostFiles};
};

}  // namespace admission
