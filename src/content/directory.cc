#include "content/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>

#include "content/file_path.h"

namespace content {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

class Reader {
 public:
  Reader(Roots& roots, const FilePath& path, LinkRule links, EntryDetails details,
         base::Arena& arena) noexcept
      : roots_(roots), path_(path), links_(links), details_(details), arena_(arena) {}

  base::Result<Directory> run(std::size_t most) {
    TRY(File file, roots_.open(path_, links_));
    if (file.kind != FileStatus::Kind::directory) return base::fail(error(ENOTDIR));
    const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(file.fd.get()));
    if (directory == nullptr) return base::fail(error(errno));
    descriptor_ = file.fd.release();  // the stream's from now on
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) break;
      const std::string_view name(static_cast<const char*>(entry->d_name));
      if (name.starts_with('.')) continue;
      if (read_.entries.size() + read_.refused.size() >= most) {
        read_.too_many = true;
        return std::move(read_);
      }
      TRY_VOID(add(name, entry->d_type));
    }
    if (errno != 0) return base::fail(error(errno));
    return std::move(read_);
  }

 private:
  static base::Error error(int code) { return base::error_from_errno(code, "readdir() failed"); }

  base::Result<void> add(std::string_view name, unsigned char type) {
    DirectoryEntry entry;
    entry.name = name;
    if (details_ == EntryDetails::kinds && type != DT_LNK && type != DT_UNKNOWN) {
      if (type == DT_REG) entry.kind = FileStatus::Kind::regular;
      if (type == DT_DIR) entry.kind = FileStatus::Kind::directory;
      read_.entries.push_back(std::move(entry));
      return {};
    }
    struct stat status{};
    if (::fstatat(descriptor_, entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return {};  // gone since it was read
      if (errno != EACCES) return base::fail(error(errno));
      read_.refused.push_back(std::move(entry.name));
      return {};
    }
    static_cast<FileStatus&>(entry) = file_status(status);
    if (S_ISLNK(status.st_mode)) {
      if (const auto path = path_in(path_, name, arena_)) {
        if (const auto seen = roots_.look(*path, links_)) {
          static_cast<FileStatus&>(entry) = *seen;
        }
      }
    }
    read_.entries.push_back(std::move(entry));
    return {};
  }

  Roots& roots_;
  const FilePath& path_;
  const LinkRule links_;
  const EntryDetails details_;
  base::Arena& arena_;
  int descriptor_ = -1;
  Directory read_;
};

}  // namespace

base::Result<Directory> read_directory(Roots& roots, const FilePath& path, LinkRule links,
                                       EntryDetails details, std::size_t most, base::Arena& arena) {
  return Reader(roots, path, links, details, arena).run(most);
}

}  // namespace content
