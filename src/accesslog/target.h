// Target: one place that lines of access logs go to, shared by all levels and workers that log
// there. Batch: a worker's lines on their way to it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "accesslog/path_files.h"
#include "observe/log_file.h"
#include "observe/losses.h"
#include "observe/syslog.h"

namespace accesslog {

/// How a worker gathers lines before they are written.
struct Gathering {
  std::size_t size = std::size_t{32} << 10;  // written when there is so much; `buffer`
  /// Written after so long; nothing: only when `size` is reached. `flush`
  std::optional<std::chrono::milliseconds> delay = std::chrono::milliseconds(4);
  int gzip_level = 0;     // 0: as they are
  bool is_asked = false;  // by parameters of a directive

  bool operator==(const Gathering&) const = default;
};

struct Target {
  std::size_t index;  // in its Destinations
  std::string name;   // for messages
  // One of the three.
  std::shared_ptr<const observe::LogFile> file{};
  std::shared_ptr<const observe::Syslog> syslog{};
  std::shared_ptr<PathFiles> paths{};  // each batch names its files
  Gathering gathering{};

  mutable std::atomic<std::size_t> waiting = 0;  // bytes handed over and not written yet
  mutable bool torn = false;                     // the file ends within a line; the log thread's
  mutable observe::Losses path_losses{};         // of `paths`

  [[nodiscard]] observe::Losses& losses() const noexcept {
    if (file != nullptr) return file->losses();
    return syslog != nullptr ? syslog->losses() : path_losses;
  }
};

struct Batch {
  std::shared_ptr<const Target> target;
  std::string text{};  // whole lines
  /// Where the target has paths: that many bytes of the text go there, one after another.
  struct Run {
    std::string path;
    std::size_t size;
  };
  std::vector<Run> runs{};
  std::uint64_t lines = 0;
  // Lost already, and counted: the log thread tells of them.
  std::uint64_t crowded_out = 0;  // too much was waiting
  std::uint64_t unnamed = 0;      // their path was no good name
};

}  // namespace accesslog
