// LogThread: the thread of a process that writes access logs, so that no worker waits for a disk.
// One thread, not a pool: lines of a file stay in order, and what only this thread touches needs no
// lock.
//
// Workers hand over whole batches, a few a second each; the lock is held while one pointer moves.
// What waits for a target is bounded: a disk that hangs costs that many bytes, and from then on
// lines. The thread starts with the first batch: who logs nothing has none.
#pragma once

#include <condition_variable>
#include <cstddef>
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

class LogThread {
 public:
  /// at_once: no thread; what is handed over is written before hand_over returns. For tests, and
  /// only where one thread uses it.
  enum class Mode : bool { thread, at_once };
  using Task = std::move_only_function<void()>;

  /// What may wait for one target: so much, or four of its buffers where those are large.
  static constexpr std::size_t kMaxWaiting = std::size_t{8} << 20;

  /// `clock` and `layout` outlive it.
  LogThread(const base::Clock& clock, const observe::CounterLayout& layout, Mode mode);
  /// Writes what is waiting.
  ~LogThread();
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;

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
  using Work = std::variant<Batch, Task>;
  [[nodiscard]] bool push(Batch batch);
  void run();
  void handle(Work& work);

  const Mode mode_;
  observe::Counters counters_;
  BatchWriter writer_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<Work> queue_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace accesslog
