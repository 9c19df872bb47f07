#include "http/h2/session_memory.h"

#ifdef SALLYPORT_SANITIZED  // there every use after free is to be seen
#include <cstdlib>

namespace http::h2 {

SessionMemory::~SessionMemory() = default;
void* SessionMemory::allocate(std::size_t size) { return std::malloc(size); }
void* SessionMemory::allocate_zeroed(std::size_t count, std::size_t size) {
  return std::calloc(count, size);
}
void* SessionMemory::reallocate(void* block, std::size_t size) { return std::realloc(block, size); }
void SessionMemory::free(void* block) noexcept { std::free(block); }

}  // namespace http::h2
#else
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <new>
#include <span>
#include <utility>

#include "async/frame_pool.h"
#include "base/check.h"

namespace http::h2 {
namespace {

enum class Place : std::uint8_t { frame_pool, session_object, frame_block, heap };

constexpr std::size_t kSmall = 1024;
// Sizes as of nghttp2 1.52; what is of another size is on the heap.
constexpr std::size_t kObject = 3072;
constexpr std::size_t kLeastObject = 2048;
constexpr std::size_t kLeastFrame = 16 * 1024;
struct alignas(4096) Slot {
  std::array<std::byte, kObject> object;
  std::array<std::byte, 20 * 1024 - kObject> frame;
};
constexpr std::size_t kSlotsAtOnce = 64;

struct FreeSlot {
  FreeSlot* next;
};
// Of a thread. Never given back: there are as many as there were connections at a time, and of
// each remains what was touched.
constinit thread_local FreeSlot* free_slots = nullptr;
constinit thread_local std::span<Slot> fresh_slots{};

void* take_slot() {
  if (free_slots != nullptr) return std::exchange(free_slots, free_slots->next);
  if (fresh_slots.empty()) {
    void* mapped = ::mmap(nullptr, sizeof(Slot) * kSlotsAtOnce, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapped != MAP_FAILED);
    fresh_slots = {static_cast<Slot*>(mapped), kSlotsAtOnce};
  }
  void* slot = fresh_slots.data();
  fresh_slots = fresh_slots.subspan(1);
  return slot;
}

}  // namespace

// In front of each block.
struct alignas(std::max_align_t) SessionMemory::Header {
  std::size_t size;  // with the header
  Place place = Place::heap;

  static Header& of(void* block) noexcept { return *(static_cast<Header*>(block) - 1); }
};

SessionMemory::~SessionMemory() {
  if (slot_ != nullptr) free_slots = new (slot_) FreeSlot{free_slots};
}

void* SessionMemory::take(Header header) {
  const auto is_part = [&](std::size_t least, std::size_t most, bool& taken) {
    if (header.size < least || header.size > most || taken) return false;
    if (slot_ == nullptr) slot_ = take_slot();
    return taken = true;
  };
  void* place = nullptr;
  if (header.size <= kSmall) {
    header.place = Place::frame_pool;
    place = async::allocate_frame(header.size);
  } else if (is_part(kLeastObject, kObject, object_taken_)) {
    header.place = Place::session_object;
    place = static_cast<Slot*>(slot_)->object.data();
  } else if (is_part(kLeastFrame, sizeof(Slot::frame), frame_taken_)) {
    header.place = Place::frame_block;
    place = static_cast<Slot*>(slot_)->frame.data();
  } else {
    place = ::operator new(header.size);
  }
  return new (place) Header(header) + 1;
}

void* SessionMemory::allocate(std::size_t size) {
  if (size > std::numeric_limits<std::size_t>::max() - sizeof(Header)) return nullptr;
  return take({.size = size + sizeof(Header)});
}

void* SessionMemory::allocate_zeroed(std::size_t count, std::size_t size) {
  if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size) return nullptr;
  void* block = allocate(count * size);
  if (block != nullptr) std::fill_n(static_cast<std::byte*>(block), count * size, std::byte{0});
  return block;
}

void* SessionMemory::reallocate(void* block, std::size_t size) {
  void* made = allocate(size);
  if (made == nullptr || block == nullptr) return made;
  const std::size_t kept = std::min(size, Header::of(block).size - sizeof(Header));
  std::copy_n(static_cast<const std::byte*>(block), kept, static_cast<std::byte*>(made));
  free(block);
  return made;
}

void SessionMemory::free(void* block) noexcept {
  if (block == nullptr) return;
  Header& header = Header::of(block);
  switch (header.place) {
    case Place::frame_pool: return async::free_frame(&header, header.size);
    case Place::session_object: object_taken_ = false; return;
    case Place::frame_block: frame_taken_ = false; return;
    case Place::heap: return ::operator delete(&header);
  }
}

}  // namespace http::h2
#endif
