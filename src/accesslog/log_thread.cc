#include "accesslog/log_thread.h"

#include <pthread.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace accesslog {
namespace {

// Beside its text; so that many small batches are bounded, too.
constexpr std::size_t kBatchCost = 512;

std::size_t cost_of(const Batch& batch) noexcept {
  std::size_t cost = kBatchCost + batch.text.size();
  for (const Batch::Run& run : batch.runs) cost += sizeof run + run.path.size();
  return cost;
}

}  // namespace

LogThread::LogThread(const base::Clock& clock, const observe::CounterLayout& layout, Mode mode)
    : mode_(mode), counters_(layout), writer_(clock, counters_) {}

LogThread::~LogThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool LogThread::hand_over(Batch batch) {
  const Target& target = *batch.target;
  const std::size_t cost = cost_of(batch);
  const std::size_t most = std::max(kMaxWaiting, 4 * target.gathering.size);
  if (target.waiting.fetch_add(cost, std::memory_order_relaxed) + cost > most) {
    target.waiting.fetch_sub(cost, std::memory_order_relaxed);
    return false;
  }
  const auto kept = batch.target;
  if (push(std::move(batch))) return true;
  kept->waiting.fetch_sub(cost, std::memory_order_relaxed);
  return false;
}

void LogThread::post(Task task) {
  const std::lock_guard lock(mutex_);
  // Without a thread nothing is waiting, and none can start while the lock is held.
  if (!thread_.joinable()) return task();
  queue_.emplace_back(std::move(task));
  changed_.notify_one();
}

void LogThread::report_to(std::shared_ptr<const observe::ErrorLog> log) {
  post([this, log = std::move(log)]() mutable { writer_.report_to(std::move(log)); });
}

bool LogThread::push(Batch batch) {
  if (mode_ == Mode::at_once) {
    Work work(std::move(batch));
    handle(work);
    return true;
  }
  const std::lock_guard lock(mutex_);
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
      return false;  // out of threads; the next batch tries again
    }
  }
  queue_.emplace_back(std::move(batch));
  changed_.notify_one();
  return true;
}

void LogThread::run() {
  ::pthread_setname_np(::pthread_self(), "logs");
  std::vector<Work> taken;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !queue_.empty() || ending_; });
      if (queue_.empty()) return;
      taken.swap(queue_);
    }
    for (Work& work : taken) handle(work);
    taken.clear();
  }
}

void LogThread::handle(Work& work) {
  if (auto* task = std::get_if<Task>(&work)) return (*task)();
  const Batch& batch = std::get<Batch>(work);
  writer_.write(batch);
  batch.target->waiting.fetch_sub(cost_of(batch), std::memory_order_relaxed);
}

}  // namespace accesslog
