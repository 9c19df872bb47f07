// Sink: one worker's lines for one target. They are gathered for a moment, or as `buffer` and
// `flush` say, and handed to the log thread together, so that logging costs a busy worker a few
// messages a second and not a system call a request.
//
// Unless a directive says otherwise, a line waits at most two ticks of the timer wheel (8 ms) here.
// What a worker gathers dies with a process that is killed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "accesslog/log_thread.h"
#include "accesslog/target.h"
#include "io/event_loop.h"
#include "io/timers.h"
#include "observe/counters.h"

namespace accesslog {

class Sink final : private io::Timer {
 public:
  Sink(std::shared_ptr<const Target> target, LogThread& thread, io::EventLoop& loop,
       observe::Counters& counters);
  ~Sink() { flush(); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  /// The lines that are waiting. Append a whole line, then call added(), or added_to() with the
  /// path of its file where the target has paths.
  [[nodiscard]] std::string& lines() noexcept { return batch_.text; }
  void added();
  void added_to(std::string path);
  /// A line is lost: its path is no good name.
  void lose_line();
  /// Hands over what is waiting, now.
  void flush() noexcept;
  /// From now on nothing waits longer than without `buffer`: fewer and fewer lines will come.
  void retire() noexcept;

 private:
  void on_timer() noexcept override { flush(); }
  void wait();

  std::shared_ptr<const Target> target_;
  LogThread& thread_;
  io::EventLoop& loop_;
  observe::Counters& counters_;
  Batch batch_;
  std::size_t marked_ = 0;  // bytes of the text that the runs cover
  std::optional<std::chrono::milliseconds> delay_;
  bool armed_ = false;
};

}  // namespace accesslog
