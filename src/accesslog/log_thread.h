// LogThread: the thread of a process that writes logs, so that no worker waits for a disk. One
// thread, not a pool: lines of a file stay in order, and what only this thread touches needs no
// lock. The price is that a disk that hangs holds up the logs on other disks, too.
//
// Of access logs, workers hand over whole batches, a few a second each; error lines come one by
// one, as observe::ErrorLog's Carrier. The lock is held while one pointer moves. What waits for a
// target is bounded, and so is what waits of all error logs: a disk that hangs costs that many
// bytes, and from then on lines. The thread starts with the first of them: who logs nothing has
// none.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "accesslog/batch_writer.h"
#include "accesslog/target.h"
#include "base/clock.h"
#include "observe/counters.h"
#include "observe/error_log.h"

namespace accesslog {

class LogThread final : private observe::ErrorLog::Carrier {
 public:
  /// at_once: no thread; what is handed over is written before hand_over returns. For tests, and
  /// only where one thread uses it.
  enum class Mode : bool { thread, at_once };
  using Task = std::move_only_function<void()>;

  /// What may wait for one target: so much, or four of its buffers where those are large.
  static constexpr std::size_t kMaxWaiting = std::size_t{8} << 20;
  /// What may wait for error logs, all together: a thousand of the longest lines.
  static constexpr std::size_t kMaxWaitingErrors = std::size_t{4} << 20;

  /// `clock` and `layout` outlive it.
  LogThread(const base::Clock& clock, const observe::CounterLayout& layout, Mode mode,
            std::size_t max_waiting_errors = kMaxWaitingErrors);
  /// Writes what is waiting. By now no other thread writes to logs.
  ~LogThread() override;
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;

  /// From now on it writes the error lines of this process.
  void carry_errors() noexcept { observe::ErrorLog::carry_by(*this); }

  // From any thread; none of them waits.

  /// False, and the batch is lost, if too much is waiting for its target.
  [[nodiscard]] bool hand_over(Batch batch);
  /// Runs `task` on the thread after all that was handed over before; at once, here, if there is no
  /// thread yet. It does not use this object.
  void post(Task task);
  /// Where losses are told from now on.
  void report_to(std::shared_ptr<const observe::ErrorLog> log);

  [[nodiscard]] const observe::Counters& counters() const noexcept { return counters_; }

 private:
  using ErrorLine = observe::ErrorLog::Line;
  using Work = std::variant<Batch, Task, ErrorLine>;
  struct CrowdedOut {
    ErrorLine line;  // the first, without its text
    std::uint64_t lines = 0;
  };
  [[nodiscard]] bool carry(ErrorLine line) override;
  [[nodiscard]] bool is_behind() const noexcept override {
    return waiting_errors_.load(std::memory_order_relaxed) > 0;
  }
  void crowd_out(ErrorLine line);
  [[nodiscard]] bool push(Work work);
  void run();
  void handle(Work& work);

  const Mode mode_;
  const std::size_t max_waiting_errors_;
  std::atomic<std::size_t> waiting_errors_ = 0;  // bytes
  observe::Counters counters_;
  BatchWriter writer_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<Work> queue_;
  std::vector<CrowdedOut>
      crowded_out_;  // one for each output; told when the queue has been written
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace accesslog
