#include "async/frame_pool.h"

#include <array>
#include <new>
#include <utility>

namespace async {

#ifdef SALLYPORT_SANITIZED
void* allocate_frame(std::size_t size) { return ::operator new(size); }
void free_frame(void* frame, std::size_t) noexcept { ::operator delete(frame); }
#else
namespace {

constexpr std::size_t kStep = 64;        // sizes are rounded up to a multiple of this
constexpr std::size_t kClasses = 64;     // larger frames (> 4 KB) are rare and go to the heap
constexpr std::size_t kKeptPerClass = 64;

// A free frame's first bytes link it to the next.
struct FreeFrame {
  FreeFrame* next;
};
struct FreeList {
  FreeFrame* first = nullptr;
  std::size_t count = 0;
};
// constinit: no guard to pass at each use.
constinit thread_local std::array<FreeList, kClasses> free_lists{};

struct ThreadEnd {
  ~ThreadEnd() {
    for (FreeList& list : free_lists) {
      while (list.first != nullptr) ::operator delete(std::exchange(list.first, list.first->next));
      list.count = kKeptPerClass;  // what is freed from now on goes to the heap
    }
  }
};

void* allocate_from_heap(std::size_t size) {
  thread_local ThreadEnd at_end;
  static_cast<void>(at_end);
  return ::operator new(size);
}

constexpr std::size_t class_of(std::size_t size) { return (size + kStep - 1) / kStep; }

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = class_of(size);
  if (index >= kClasses) return ::operator new(size);
  FreeList& list = free_lists[index];
  if (list.first == nullptr) return allocate_from_heap(index * kStep);
  --list.count;
  return std::exchange(list.first, list.first->next);
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = class_of(size);
  if (index >= kClasses || free_lists[index].count >= kKeptPerClass) {
    return ::operator delete(frame);
  }
  FreeList& list = free_lists[index];
  list.first = new (frame) FreeFrame{list.first};
  ++list.count;
}
#endif

}  // namespace async
