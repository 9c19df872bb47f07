// SessionMemory: where the objects of one nghttp2 session are.
//
// Small ones, some of them made for each stream, come from the thread's free lists of coroutine
// frames. The session object and the block of 16 KB in which it puts its frames together share a
// slot of pages, since of the block mostly the beginning alone is ever touched:
//
//   | session object (3 KB) | frame block (16 KB) ........... |    a slot: 5 pages, of which 1 is
//   used
//
// From the heap the block would be memory that others have used before, with all of its pages.
// Slots go back to the thread that made them; a block is freed on it.
#pragma once

#include <cstddef>

namespace http::h2 {

class SessionMemory {
 public:
  SessionMemory() noexcept = default;
  ~SessionMemory();  // after the session
  SessionMemory(const SessionMemory&) = delete;
  SessionMemory& operator=(const SessionMemory&) = delete;

  [[nodiscard]] void* allocate(std::size_t size);
  [[nodiscard]] void* allocate_zeroed(std::size_t count, std::size_t size);
  [[nodiscard]] void* reallocate(void* block, std::size_t size);
  void free(void* block) noexcept;

 private:
  struct Header;
  [[nodiscard]] void* take(Header header);

  void* slot_ = nullptr;
  bool object_taken_ = false;  // of the slot's two parts
  bool frame_taken_ = false;
};

}  // namespace http::h2
