// Buffer: a block of memory with bytes that were put in and not yet taken out.
//
//   |  consumed  |  readable()  |  writable()  |      0 <= begin_ <= end_ <= capacity
//
// Blocks come from free lists of the thread (4, 16, 32 and 64 KB) and go back at release(): an idle
// connection holds none. Views into a buffer die with the next grow(), compact() or release().
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

#include "base/check.h"

namespace io {

class Buffer {
 public:
  static constexpr std::size_t kSmall = 4 * 1024;
  static constexpr std::size_t kLarge = 64 * 1024;

  Buffer() = default;
  explicit Buffer(std::size_t capacity) { grow(capacity); }
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { release(); }

  [[nodiscard]] std::string_view readable() const noexcept {
    const auto bytes = memory().subspan(begin_, end_ - begin_);
    return {bytes.data(), bytes.size()};
  }
  [[nodiscard]] std::span<char> writable() noexcept { return memory().subspan(end_); }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] bool full() const noexcept { return end_ == capacity_; }
  /// Whether the view is of this block, consumed bytes included.
  [[nodiscard]] bool contains(std::string_view view) const noexcept {
    const std::span<char> all = memory();
    return !all.empty() && !std::less<>{}(view.data(), all.data()) &&
           std::less<>{}(view.data(), all.data() + all.size());
  }

  /// `count` bytes were put into writable().
  void commit(std::size_t count) noexcept {
    CHECK(count <= capacity_ - end_);
    end_ += count;
  }
  /// The first `count` bytes of readable() are done with. An emptied buffer starts over.
  void consume(std::size_t count) noexcept {
    CHECK(count <= end_ - begin_);
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void clear() noexcept { begin_ = end_ = 0; }
  /// Copies `text` to the end; it must fit.
  void append(std::string_view text) noexcept;
  /// Moves readable() to the front.
  void compact() noexcept;
  /// At least `capacity` bytes in all, rounded up to a block size; keeps what is readable.
  void grow(std::size_t capacity);
  void release() noexcept {
    if (block_ != nullptr) give_back();
  }

 private:
  void give_back() noexcept;
  [[nodiscard]] std::span<char> memory() const noexcept { return {block_, capacity_}; }
  char* block_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace io
