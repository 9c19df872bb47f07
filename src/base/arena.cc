#include "base/arena.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

namespace base {

namespace {

#ifndef SALLYPORT_SANITIZED  // there every use after free is to be seen
// What a worker needs when all of a batch of requests are in flight.
constexpr std::size_t kKeptBlocks = 64;

std::vector<std::unique_ptr<std::byte[]>>& kept_blocks() {
  thread_local std::vector<std::unique_ptr<std::byte[]>> blocks;
  return blocks;
}
#endif

std::unique_ptr<std::byte[]> take_first_block(std::size_t size) {
#ifndef SALLYPORT_SANITIZED
  auto& kept = kept_blocks();
  if (size == Arena::kUsualBlock && !kept.empty()) {
    auto block = std::move(kept.back());
    kept.pop_back();
    return block;
  }
#endif
  return std::unique_ptr<std::byte[]>(new std::byte[size]);
}

}  // namespace

Arena::~Arena() {
#ifndef SALLYPORT_SANITIZED
  if (first_.memory == nullptr || first_.size != kUsualBlock) return;
  auto& kept = kept_blocks();
  if (kept.size() < kKeptBlocks) kept.push_back(std::move(first_.memory));
#endif
}

void* Arena::allocate_in_new_block(std::size_t size, std::size_t alignment) {
  const std::size_t needed = size + alignment;
  Block* block = &first_;
  if (first_.memory == nullptr) {
    first_.size = std::max(needed, first_.size);
    first_.memory = take_first_block(first_.size);
  } else {
    const std::size_t last = more_.empty() ? first_.size : more_.back().size;
    const std::size_t wanted = std::max(needed, std::min<std::size_t>(last * 2, 64 * 1024));
    block = &more_.emplace_back(Memory(new std::byte[wanted]), wanted);
  }
  free_ = {block->memory.get(), block->size};
  return take(padding_for(alignment), size);
}

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return {};
  const std::span<char> target = allocate_chars(text.size());
  copy_bytes(text, target);
  return {target.data(), target.size()};
}

std::string_view Arena::concat(std::span<const std::string_view> pieces) {
  std::size_t total = 0;
  for (const std::string_view piece : pieces) {
    CHECK(total + piece.size() >= total);
    total += piece.size();
  }
  if (total == 0) return {};
  const std::span<char> target = allocate_chars(total);
  std::span<char> rest = target;
  for (const std::string_view piece : pieces) {
    copy_bytes(piece, rest);
    rest = rest.subspan(piece.size());
  }
  return {target.data(), target.size()};
}

void Arena::reset() noexcept {
  used_ = 0;
  more_.clear();
  if (first_.memory != nullptr) free_ = {first_.memory.get(), first_.size};
}

}  // namespace base
