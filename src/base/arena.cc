#include "base/arena.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

namespace base {

namespace {

#ifndef SALLYPORT_SANITIZED  // there every use after free is to be seen
// What a worker needs when all of a batch of requests are in flight: 2 MB.
constexpr std::size_t kKeptBlocks = 512;

std::vector<std::unique_ptr<std::byte[]>>& kept_blocks() {
  thread_local std::vector<std::unique_ptr<std::byte[]>> blocks;
  return blocks;
}
#endif

std::unique_ptr<std::byte[]> take_block(std::size_t size) {
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

void give_back([[maybe_unused]] std::unique_ptr<std::byte[]> block,
               [[maybe_unused]] std::size_t size) noexcept {
#ifndef SALLYPORT_SANITIZED
  if (block == nullptr || size != Arena::kUsualBlock) return;
  auto& kept = kept_blocks();
  if (kept.size() < kKeptBlocks) kept.push_back(std::move(block));
#endif
}

}  // namespace

Arena::~Arena() {
  reset();
  give_back(std::move(first_.memory), first_.size);
}

void* Arena::allocate_in_new_block(std::size_t size, std::size_t alignment) {
  const std::size_t needed = size + alignment;
  Block* block = &first_;
  if (first_.memory == nullptr) {
    first_.size = std::max(needed, first_.size);
    first_.memory = take_block(first_.size);
  } else {
    // As much as there is, for a second block of the same size.
    const std::size_t all = more_.empty() ? first_.size : more_.back().size * 2;
    const std::size_t wanted = std::max(needed, std::min<std::size_t>(all, 64 * 1024));
    block = &more_.emplace_back(take_block(wanted), wanted);
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
  for (Block& block : more_) give_back(std::move(block.memory), block.size);
  more_.clear();
  if (first_.memory != nullptr) free_ = {first_.memory.get(), first_.size};
}

}  // namespace base
