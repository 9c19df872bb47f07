#include "async/frame_pool.h"

#include <array>
#include <new>
#include <vector>

namespace async {

#ifdef SALLYPORT_SANITIZED
void* allocate_frame(std::size_t size) { return ::operator new(size); }
void free_frame(void* frame, std::size_t) noexcept { ::operator delete(frame); }
#else
namespace {

constexpr std::size_t kStep = 64;        // sizes are rounded up to a multiple of this
constexpr std::size_t kClasses = 64;     // larger frames (> 4 KB) are rare and go to the heap
constexpr std::size_t kKeptPerClass = 64;

struct FreeLists {
  std::array<std::vector<void*>, kClasses> lists;
  ~FreeLists() {
    for (auto& list : lists) {
      for (void* frame : list) ::operator delete(frame);
    }
  }
};

FreeLists& free_lists() {
  thread_local FreeLists lists;
  return lists;
}

constexpr std::size_t class_of(std::size_t size) { return (size + kStep - 1) / kStep; }

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = class_of(size);
  if (index >= kClasses) return ::operator new(size);
  auto& list = free_lists().lists[index];
  if (list.empty()) return ::operator new(index * kStep);
  void* frame = list.back();
  list.pop_back();
  return frame;
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = class_of(size);
  if (index < kClasses) {
    auto& list = free_lists().lists[index];
    if (list.size() < kKeptPerClass) {
      list.push_back(frame);
      return;
    }
  }
  ::operator delete(frame);
}
#endif

}  // namespace async
