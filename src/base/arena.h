// Arena: memory of one exchange. Allocation moves a pointer; nothing is freed singly; reset() gives
// everything back at once and keeps the first block for the next exchange. Blocks of the
// usual size come from a free list of the thread, and return to the list of the thread that
// destroys the arena.
//
// Bounded: an arena refuses nothing by itself, but `used()` lets the owner compare with a ceiling.
// Objects put here are never destroyed, so only trivially destructible types are accepted.
// Not thread-safe: an arena belongs to one worker.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"

namespace base {

class Arena {
 public:
  static constexpr std::size_t kUsualBlock = 4096;
  explicit Arena(std::size_t first_block = kUsualBlock) noexcept { first_.size = first_block; }
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Uninitialised memory, valid until reset() or destruction. `alignment` is a power of two.
  [[nodiscard]] void* allocate(std::size_t size,
                               std::size_t alignment = alignof(std::max_align_t)) {
    CHECK(std::has_single_bit(alignment));
    const std::size_t padding = padding_for(alignment);
    if (free_.size() < padding || free_.size() - padding < size) {
      return allocate_in_new_block(size, alignment);
    }
    return take(padding, size);
  }
  [[nodiscard]] std::span<char> allocate_chars(std::size_t size) {
    return {static_cast<char*>(allocate(size, 1)), size};
  }

  /// A copy of `text` with the arena's lifetime.
  [[nodiscard]] std::string_view copy(std::string_view text);
  /// The pieces one after another, in one copy.
  [[nodiscard]] std::string_view concat(std::span<const std::string_view> pieces);
  template <class... Views>
  [[nodiscard]] std::string_view join(Views... views) {
    const std::string_view pieces[] = {std::string_view(views)...};
    return concat(pieces);
  }

  template <class T, class... Arguments>
  [[nodiscard]] T* make(Arguments&&... arguments) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T), alignof(T))) T(std::forward<Arguments>(arguments)...);
  }
  template <class T>
  [[nodiscard]] std::span<T> make_array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* first = static_cast<T*>(allocate(sizeof(T) * count, alignof(T)));
    std::uninitialized_value_construct_n(first, count);
    return {first, count};
  }
  /// The same without values: each element must be written before it is read.
  template <class T>
  [[nodiscard]] std::span<T> make_array_to_fill(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && std::is_trivially_copyable_v<T>);
    return {static_cast<T*>(allocate(sizeof(T) * count, alignof(T))), count};
  }

  /// Frees all but the first block. Every view and pointer into the arena dies here.
  void reset() noexcept;

  /// Bytes handed out since the last reset, alignment included.
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  using Memory = std::unique_ptr<std::byte[]>;
  struct Block {
    Memory memory;
    std::size_t size = 0;
  };
  [[nodiscard]] std::size_t padding_for(std::size_t alignment) const noexcept {
    return -reinterpret_cast<std::uintptr_t>(free_.data()) & (alignment - 1);
  }
  [[nodiscard]] void* take(std::size_t padding, std::size_t size) noexcept {
    void* result = free_.subspan(padding).data();
    free_ = free_.subspan(padding + size);
    used_ += padding + size;
    return result;
  }
  [[nodiscard]] void* allocate_in_new_block(std::size_t size, std::size_t alignment);

  Block first_;  // often all there is
  std::vector<Block> more_;
  std::span<std::byte> free_;  // what is left of the newest block
  std::size_t used_ = 0;
};

}  // namespace base
