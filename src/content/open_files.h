// open_file_cache: descriptors and what is known of files, kept by a worker, so that a file that is
// asked for often costs no open(), fstat() and close().
//
// A name is looked up again after `valid`: until then a file that was replaced is served as it was.
// The least recently used gives way beyond `max`, and what nobody asked for during `inactive` is
// closed. A file that is being sent stays open until that is done, whatever happens here.
//
// nginx keeps one such cache for each directive and process; so does this. Whoever can make a
// client ask for many names can push others out, with open_file_cache_errors also by names of
// nothing: the cost is what it was without the cache.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>

#include "base/lru_cache.h"
#include "config/directive.h"
#include "content/file.h"
#include "observe/counters.h"

namespace content {

/// `open_file_cache max=N [inactive=TIME]`: each directive is a cache of its own.
struct OpenFileCache {
  std::uint32_t max = 0;
  std::chrono::seconds inactive{60};
};

struct OpenFileOptions {
  config::Setting<std::shared_ptr<const OpenFileCache>> cache;  // null: off
  config::Setting<bool> errors{false};
  config::Setting<bool> events{false};  // of kqueue: nothing on Linux
  config::Setting<std::uint32_t> min_uses{1};
  config::Setting<std::chrono::seconds> valid{std::chrono::seconds(60)};

  auto settings(this auto& self) {
    return std::tie(self.cache, self.errors, self.events, self.min_uses, self.valid);
  }
};

extern const config::Feature kOpenFileFeature;

/// One worker's part of one cache.
class OpenFiles final : private io::Timer {
 public:
  OpenFiles(io::EventLoop& loop, const OpenFileCache& cache, observe::Counters& counters)
      : loop_(loop), cache_(cache), counters_(counters), entries_(cache.max) {}
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;
  ~OpenFiles() { Timer::unlink(); }

  /// As Roots::open and look, by what is known. A directory may come without a descriptor.
  [[nodiscard]] base::Result<File> open(Roots& roots, const FilePath& path, LinkRule links,
                                        const OpenFileOptions& options);
  [[nodiscard]] base::Result<FileStatus> look(Roots& roots, const FilePath& path, LinkRule links,
                                              const OpenFileOptions& options);

  /// Forgets all; how many there were.
  std::size_t clear() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    base::Error error{};
    bool failed = false;
    FileStatus status{};
    std::shared_ptr<const base::Fd> fd{};  // null: not opened, or not often enough to be kept
    base::TimePoint checked{};  // when the disk was asked
    base::TimePoint used{};
    std::uint32_t uses = 0;
  };

  /// What is known of it and is still good; null otherwise. Sets key_.
  [[nodiscard]] Entry* find(const FilePath& path, LinkRule links, const OpenFileOptions& options);
  /// The entry under key_, which is new or begins anew.
  Entry& renew();
  void keep_error(const base::Error& error, const OpenFileOptions& options);
  void drop_inactive();
  void on_timer() noexcept override;

  io::EventLoop& loop_;
  const OpenFileCache& cache_;
  observe::Counters& counters_;
  base::LruCache<std::string, Entry> entries_;
  std::string key_;  // of the last look-up; keeps its memory
  bool timed_ = false;
};

}  // namespace content
