// Arena: memory of one exchange. Allocation moves a pointer; nothing is freed singly; reset() gives
// everything back at once and keeps the first block for the next exchange.
//
// Bounded: an arena refuses nothing by itself, but `used()` lets the owner compare with a ceiling.
// Objects put here are never destroyed, so only trivially destructible types are accepted.
// Not thread-safe: an arena belongs to one worker.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace base {

class Arena {
 public:
  explicit Arena(std::size_t first_block = 4096);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Uninitialised memory, valid until reset() or destruction.
  [[nodiscard]] void* allocate(std::size_t size, std::size_t alignment = alignof(std::max_align_t));
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

  /// Frees all but the first block. Every view and pointer into the arena dies here.
  void reset() noexcept;

  /// Bytes handed out since the last reset, alignment included.
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  struct Block {
    std::unique_ptr<std::byte[]> memory;
    std::size_t size;
  };
  void add_block(std::size_t at_least);

  std::vector<Block> blocks_;
  std::size_t first_block_;
  std::span<std::byte> free_;  // what is left of the newest block
  std::size_t used_ = 0;
};

}  // namespace base
