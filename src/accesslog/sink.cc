#include "accesslog/sink.h"

#include <algorithm>
#include <utility>

namespace accesslog {

Sink::Sink(std::shared_ptr<const Target> target, LogThread& thread, io::EventLoop& loop,
           observe::Counters& counters)
    : target_(std::move(target)),
      thread_(thread),
      loop_(loop),
      counters_(counters),
      delay_(target_->gathering.delay) {}

void Sink::added() {
  ++batch_.lines;
  if (batch_.text.size() >= target_->gathering.size) return flush();
  wait();
}

void Sink::added_to(std::string path) {
  const std::size_t size = batch_.text.size() - std::exchange(marked_, batch_.text.size());
  if (!batch_.runs.empty() && batch_.runs.back().path == path) {
    batch_.runs.back().size += size;
  } else {
    batch_.runs.push_back({.path = std::move(path), .size = size});
  }
  added();
}

void Sink::lose_line() {
  counters_.add(observe::Counter::log_lines_dropped);
  ++batch_.unnamed;
  wait();
}

void Sink::wait() {
  if (!delay_ || std::exchange(armed_, true)) return;
  loop_.timers().set(*this, loop_.now() + *delay_);
}

void Sink::flush() noexcept {
  if (std::exchange(armed_, false)) loop_.timers().set(*this, base::kNoDeadline);
  if (batch_.text.empty() && batch_.unnamed == 0) return;
  const std::uint64_t lines = batch_.lines;
  const std::uint64_t crowded_out = batch_.crowded_out;
  const std::size_t size = batch_.text.size();
  batch_.target = target_;
  const bool taken = thread_.hand_over(std::exchange(batch_, {}));
  marked_ = 0;
  if (!taken) {
    counters_.add(observe::Counter::log_lines_dropped, lines);
    batch_.crowded_out = crowded_out + lines;  // to be told with the next
  }
  // As much will come again, most likely, but for a very long line.
  batch_.text.reserve(std::min(size, target_->gathering.size));
}

void Sink::retire() noexcept {
  delay_ = std::min(delay_.value_or(Gathering{}.delay.value()), Gathering{}.delay.value());
  flush();
}

}  // namespace accesslog
