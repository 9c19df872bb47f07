#include "observe/memory_log.h"

#include <algorithm>
#include <cstring>

namespace observe {

MemoryLog& MemoryLog::of_process() {
  // Never destroyed: threads may write until the end.
  static auto* const log = new MemoryLog;
  return *log;
}

void MemoryLog::append(std::string_view line, std::size_t size) {
  const std::scoped_lock lock(mutex_);
  if (size > size_) {
    const std::string before = all();
    ring_ = std::make_unique_for_overwrite<char[]>(size);
    size_ = size;
    at_ = 0;
    is_full_ = false;
    put(before);
  }
  put(line.substr(0, size_));
}

void MemoryLog::put(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t fits = std::min(bytes.size(), size_ - at_);
    std::memcpy(ring_.get() + at_, bytes.data(), fits);
    bytes.remove_prefix(fits);
    at_ += fits;
    if (at_ == size_) {
      at_ = 0;
      is_full_ = true;
    }
  }
}

std::string MemoryLog::all() const {
  std::string whole;
  if (is_full_) whole.assign(ring_.get() + at_, size_ - at_);
  whole.append(ring_.get(), at_);
  if (is_full_) whole.erase(0, whole.find('\n') + 1);  // a line that is half overwritten
  return whole;
}

std::string MemoryLog::text(std::size_t most) const {
  std::string whole;
  {
    const std::scoped_lock lock(mutex_);
    whole = all();
  }
  if (whole.size() <= most) return whole;
  const std::size_t feed = whole.find('\n', whole.size() - most - 1);
  return feed == std::string::npos ? std::string() : whole.substr(feed + 1);
}

bool MemoryLog::is_used() const {
  const std::scoped_lock lock(mutex_);
  return size_ > 0;
}

}  // namespace observe
