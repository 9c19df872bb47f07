// PathFiles: the files of logs whose path has variables. Such files can't be opened when the
// configuration is loaded; the thread that writes logs opens them as `user` when a line comes, and
// keeps the busiest open (open_log_file_cache).
//
// Only that thread uses it, so opening may take its time and needs no lock.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace accesslog {

class PathFiles {
 public:
  /// open_log_file_cache, with nginx's defaults. `max` 0: each file is closed after its lines.
  struct Options {
    std::size_t max = 0;
    std::chrono::seconds inactive{10};  // forgotten if not used for so long
    std::size_t min_uses = 1;           // within `inactive`, to stay open
    std::chrono::seconds valid{60};  // then it is looked whether the name still means the file
  };
  explicit PathFiles(Options options) : options_(options) {}

  struct File {
    int fd;
    bool is_regular;
  };
  /// The file of that name, made if it is missing. Good until the next call.
  [[nodiscard]] base::Result<File> open(const std::string& path, base::TimePoint now);
  /// Closes all: the names may mean other files from now on.
  void clear();

  [[nodiscard]] const Options& options() const noexcept { return options_; }
  [[nodiscard]] std::size_t open_count() const noexcept { return entries_.size(); }

 private:
  struct Opened {
    base::Fd fd;
    struct stat status{};
  };
  struct Entry {
    std::string path;
    Opened file{};  // empty while it was used too seldom
    std::size_t uses = 0;
    base::TimePoint used{};
    base::TimePoint checked{};
  };
  [[nodiscard]] static base::Result<Opened> open_file(const std::string& path);
  [[nodiscard]] Entry& entry_of(const std::string& path, base::TimePoint now);
  void forget_last();

  Options options_;
  std::list<Entry> entries_;  // the last used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator>
      by_path_;  // views of Entry::path
  Opened passing_;  // what is not kept
};

}  // namespace accesslog
