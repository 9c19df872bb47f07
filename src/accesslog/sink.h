// Sinks: how lines get into files. Each worker gathers its own lines for a moment and writes them
// with one write(2), so that logging costs a busy worker a few system calls a second and not one a
// request.
//
// A line waits at most two ticks of the timer wheel (8 ms). What can't be written is dropped and
// counted: a full disk or a reader that has gone never holds up traffic.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "config/file_source.h"
#include "io/event_loop.h"
#include "io/timers.h"
#include "observe/counters.h"

namespace accesslog {

/// An open file, shared by all workers and all levels that log to it.
struct LogFile {
  LogFile(base::Fd file, std::string full_name, std::size_t place);

  base::Fd fd;
  std::string name;
  std::size_t index;  // in its LogFiles
  bool is_regular;    // writes of workers never mix, however long
};

/// Each file of a configuration, opened once. One of its own for each configuration, kept at the
/// main level.
class LogFiles {
 public:
  [[nodiscard]] base::Result<std::shared_ptr<const LogFile>> open(std::string_view path,
                                                                  config::FileSource& files);

 private:
  std::map<std::string, std::shared_ptr<const LogFile>, std::less<>> by_name_;
};

/// One worker's lines for one file.
class Sink final : private io::Timer {
 public:
  static constexpr std::size_t kHeld = std::size_t{32} << 10;
  static constexpr std::chrono::milliseconds kDelay{4};

  Sink(std::shared_ptr<const LogFile> file, io::EventLoop& loop, observe::Counters& counters);
  ~Sink() { flush(); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  /// The lines that are waiting. Append a whole line, then call added().
  [[nodiscard]] std::string& lines() noexcept { return lines_; }
  void added();
  /// Writes what is waiting, now.
  void flush() noexcept;

 private:
  void on_timer() noexcept override { flush(); }
  bool write(std::string_view lines) noexcept;

  std::shared_ptr<const LogFile> file_;
  io::EventLoop& loop_;
  observe::Counters& counters_;
  std::string lines_;
  bool armed_ = false;
  bool torn_ = false;  // the file ends in the middle of a line
};

}  // namespace accesslog
