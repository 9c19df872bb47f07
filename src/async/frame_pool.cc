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

constexpr std::size_t kStep = 64;     // sizes are rounded up to a multiple of this
constexpr std::size_t kClasses = 64;  // larger frames (> 4 KB) are rare and go to the heap
constexpr std::size_t kKept = 8 * 1024 * 1024;  // bytes in all lists of a thread

// A free frame's first bytes link it to the next.
struct FreeFrame {
  FreeFrame* next;
};
struct FreeLists {
  std::array<FreeFrame*, kClasses> first{};
  std::size_t room = kKept;
};
// constinit: no guard to pass at each use.
constinit thread_local FreeLists free_lists{};

struct ThreadEnd {
  ~ThreadEnd() {
    for (FreeFrame*& first : free_lists.first) {
      while (first != nullptr) ::operator delete(std::exchange(first, first->next));
    }
    free_lists.room = 0;  // what is freed from now on goes to the heap
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
  FreeFrame*& first = free_lists.first[index];
  if (first == nullptr) return allocate_from_heap(index * kStep);
  free_lists.room += index * kStep;
  return std::exchange(first, first->next);
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = class_of(size);
  const std::size_t bytes = index * kStep;
  if (index >= kClasses || free_lists.room < bytes) return ::operator delete(frame);
  FreeFrame*& first = free_lists.first[index];
  first = new (frame) FreeFrame{first};
  free_lists.room -= bytes;
}
#endif

}  // namespace async
