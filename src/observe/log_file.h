// LogFile: an open file that lines are appended to, shared by every log and thread that writes
// there.
//
// Reopening it (after a rotation) puts another open file behind the same descriptor by dup3(2). The
// kernel does that atomically: a write(2) that is under way ends whole in one of both files, so no
// line is lost or torn and no thread need be told. Handing a new descriptor to each worker by
// message was rejected: error logs are written by all threads, and would need a lock or a look at
// each line.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "observe/losses.h"

namespace observe {

class LogFile {
 public:
  /// `fd` was opened for appending; `name` is for messages and for finding the file again.
  LogFile(base::Fd fd, std::string name);
  /// Standard error; the descriptor stays the process's.
  [[nodiscard]] static std::shared_ptr<const LogFile> standard_error();
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  [[nodiscard]] int descriptor() const noexcept { return fd_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// Else it is a pipe, a terminal, a device: it may be full for a while, and long writes mix.
  [[nodiscard]] bool is_regular() const noexcept {
    return is_regular_.load(std::memory_order_relaxed);
  }
  /// What has been lost of it lately.
  [[nodiscard]] Losses& losses() const noexcept { return losses_; }

  /// From now on, the file that `fresh` has open is meant. From any thread. It stays the caller's.
  [[nodiscard]] base::Result<void> replace(const base::Fd& fresh) const noexcept;

 private:
  LogFile(int fd, std::string name);

  base::Fd owned_;  // empty for standard error
  int fd_;
  std::string name_;
  mutable std::atomic<bool> is_regular_;
  mutable Losses losses_;
};

}  // namespace observe
