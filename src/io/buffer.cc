#include "io/buffer.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace io {
namespace {

struct SizeClass {
  std::size_t size;
  std::size_t kept;  // blocks kept per thread: at most half a megabyte of a class
};
constexpr std::array<SizeClass, 4> kClasses{
    {{4 * 1024, 64}, {16 * 1024, 16}, {32 * 1024, 8}, {64 * 1024, 8}}};

struct FreeLists {
  std::array<std::vector<char*>, kClasses.size()> lists;
  ~FreeLists() {
    for (auto& list : lists) {
      for (char* block : list) delete[] block;
    }
  }
};
FreeLists& free_lists() {
  thread_local FreeLists lists;
  return lists;
}

std::size_t class_for(std::size_t size) {
  std::size_t index = 0;
  while (index < kClasses.size() && kClasses[index].size < size) ++index;
  return index;
}

std::pair<char*, std::size_t> take_block(std::size_t size) {
  const std::size_t index = class_for(size);
  if (index == kClasses.size()) return {new char[size], size};
  auto& list = free_lists().lists[index];
  if (list.empty()) return {new char[kClasses[index].size], kClasses[index].size};
  char* block = list.back();
  list.pop_back();
  return {block, kClasses[index].size};
}

void give_block(char* block, std::size_t size) noexcept {
#ifndef SALLYPORT_SANITIZED
  const std::size_t index = class_for(size);
  if (index < kClasses.size() && kClasses[index].size == size) {
    auto& list = free_lists().lists[index];
    if (list.size() < kClasses[index].kept) {
      list.push_back(block);
      return;
    }
  }
#else
  static_cast<void>(size);  // every use after release is seen
#endif
  delete[] block;
}

}  // namespace

Buffer::Buffer(Buffer&& other) noexcept
    : block_(std::exchange(other.block_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    release();
    block_ = std::exchange(other.block_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
  }
  return *this;
}

void Buffer::append(std::string_view text) noexcept {
  CHECK(text.size() <= writable().size());
  base::copy_bytes(text, writable());
  commit(text.size());
}

void Buffer::compact() noexcept {
  if (begin_ == 0) return;
  const std::string_view kept = readable();
  std::copy(kept.begin(), kept.end(),
            memory().begin());  // forwards: the target is before the source
  end_ = kept.size();
  begin_ = 0;
}

void Buffer::grow(std::size_t capacity) {
  if (capacity <= capacity_) return;
  const auto [block, size] = take_block(capacity);
  const std::string_view kept = readable();
  base::copy_bytes(kept, {block, size});
  const std::size_t length = kept.size();
  release();
  block_ = block;
  capacity_ = size;
  end_ = length;
}

void Buffer::give_back() noexcept {
  give_block(std::exchange(block_, nullptr), capacity_);
  capacity_ = begin_ = end_ = 0;
}

}  // namespace io
