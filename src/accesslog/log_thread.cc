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

std::size_t cost_of(const observe::ErrorLog::Line& line) noexcept {
  return sizeof line + line.text.size();
}

}  // namespace

LogThread::LogThread(const base::Clock& clock, const observe::CounterLayout& layout, Mode mode,
                     std::size_t max_waiting_errors)
    : mode_(mode),
      max_waiting_errors_(max_waiting_errors),
      counters_(layout),
      writer_(clock, counters_) {}

LogThread::~LogThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  observe::ErrorLog::stop_carrying(*this);
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

bool LogThread::carry(ErrorLine line) {
  const std::size_t cost = cost_of(line);
  if (waiting_errors_.fetch_add(cost, std::memory_order_relaxed) + cost <= max_waiting_errors_) {
    if (push(std::move(line))) return true;
  } else {
    crowd_out(std::move(line));
  }
  waiting_errors_.fetch_sub(cost, std::memory_order_relaxed);
  return false;
}

void LogThread::crowd_out(ErrorLine line) {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find_if(crowded_out_, [&line](const CrowdedOut& each) {
    return each.line.places == line.places && each.line.output == line.output;
  });
  if (known != crowded_out_.end()) {
    ++known->lines;
    return;
  }
  line.text.clear();
  crowded_out_.push_back({.line = std::move(line), .lines = 1});
  changed_.notify_one();
}

bool LogThread::push(Work work) {
  if (mode_ == Mode::at_once) {
    handle(work);
    return true;
  }
  const std::lock_guard lock(mutex_);
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
      return false;  // out of threads; the next one tries again
    }
  }
  queue_.push_back(std::move(work));
  changed_.notify_one();
  return true;
}

void LogThread::run() {
  ::pthread_setname_np(::pthread_self(), "logs");
  std::vector<Work> taken;
  std::vector<CrowdedOut> lost;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !queue_.empty() || !crowded_out_.empty() || ending_; });
      if (queue_.empty() && crowded_out_.empty()) return;
      taken.swap(queue_);
      // What was lost was lost behind what is taken now, or behind what was taken before.
      lost.swap(crowded_out_);
    }
    for (Work& work : taken) handle(work);
    for (const CrowdedOut& each : lost) each.line.tell_crowded_out(each.lines);
    taken.clear();
    lost.clear();
  }
}

void LogThread::handle(Work& work) {
  if (auto* task = std::get_if<Task>(&work)) return (*task)();
  if (const auto* line = std::get_if<ErrorLine>(&work)) {
    line->put(observe::Syslog::Patience::some);
    waiting_errors_.fetch_sub(cost_of(*line), std::memory_order_relaxed);
    return;
  }
  const Batch& batch = std::get<Batch>(work);
  writer_.write(batch);
  batch.target->waiting.fetch_sub(cost_of(batch), std::memory_order_relaxed);
}

}  // namespace accesslog
