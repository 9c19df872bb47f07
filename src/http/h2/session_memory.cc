#include "http/h2/session_memory.h"

#ifdef SALLYPORT_SANITIZED  // there every use after free is to be seen
#include <cstdlib>

namespace http::h2 {

void* allocate_for_session(std::size_t size, void* /*unused*/) { return std::malloc(size); }
void* allocate_zeroed_for_session(std::size_t count, std::size_t size, void* /*unused*/) {
  return std::calloc(count, size);
}
void* reallocate_for_session(void* block, std::size_t size, void* /*unused*/) {
  return std::realloc(block, size);
}
void free_of_session(void* block, void* /*unused*/) { std::free(block); }

}  // namespace http::h2
#else
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>
#include <span>
#include <utility>

#include "async/frame_pool.h"
#include "base/check.h"

namespace http::h2 {
namespace {

// In front of each block.
struct alignas(std::max_align_t) Header {
  std::size_t size;  // with the header
};

constexpr std::size_t kSmall = 1024;
// What a session puts a frame of 16 KB together in; blocks of about that size are rare otherwise.
constexpr std::size_t kLeastFrameBlock = 16 * 1024;
constexpr std::size_t kFrameBlock = kLeastFrameBlock + 128;
constexpr std::size_t kBlocksAtOnce = 64;

bool is_frame_block(std::size_t size) noexcept {
  return size >= kLeastFrameBlock && size <= kFrameBlock;
}

struct FreeBlock {
  FreeBlock* next;
};
// Of a thread. Regions are not given back: there are as many blocks as there were connections at a
// time, and of each remains what was touched.
constinit thread_local FreeBlock* free_blocks = nullptr;
constinit thread_local std::span<std::byte> region{};  // what has not been used of the last one

void* take_frame_block() {
  if (free_blocks != nullptr) return std::exchange(free_blocks, free_blocks->next);
  if (region.empty()) {
    constexpr std::size_t kBytes = kFrameBlock * kBlocksAtOnce;
    void* mapped =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapped != MAP_FAILED);
    region = {static_cast<std::byte*>(mapped), kBytes};
  }
  void* block = region.data();
  region = region.subspan(kFrameBlock);
  return block;
}

void* take(std::size_t size) {
  if (size <= kSmall) return async::allocate_frame(size);
  return is_frame_block(size) ? take_frame_block() : ::operator new(size);
}

void give_back(void* block, std::size_t size) noexcept {
  if (size <= kSmall) return async::free_frame(block, size);
  if (!is_frame_block(size)) return ::operator delete(block);
  free_blocks = new (block) FreeBlock{free_blocks};
}

Header* header_of(void* block) noexcept { return static_cast<Header*>(block) - 1; }

}  // namespace

void* allocate_for_session(std::size_t size, void* /*unused*/) {
  if (size > std::numeric_limits<std::size_t>::max() - sizeof(Header)) return nullptr;
  return new (take(size + sizeof(Header))) Header{size + sizeof(Header)} + 1;
}

void* allocate_zeroed_for_session(std::size_t count, std::size_t size, void* unused) {
  if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size) return nullptr;
  void* block = allocate_for_session(count * size, unused);
  if (block != nullptr) std::fill_n(static_cast<std::byte*>(block), count * size, std::byte{0});
  return block;
}

void* reallocate_for_session(void* block, std::size_t size, void* unused) {
  void* made = allocate_for_session(size, unused);
  if (made == nullptr || block == nullptr) return made;
  const std::size_t kept = std::min(size, header_of(block)->size - sizeof(Header));
  std::copy_n(static_cast<const std::byte*>(block), kept, static_cast<std::byte*>(made));
  free_of_session(block, unused);
  return made;
}

void free_of_session(void* block, void* /*unused*/) {
  if (block == nullptr) return;
  Header* header = header_of(block);
  give_back(header, header->size);
}

}  // namespace http::h2
#endif
