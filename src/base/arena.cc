#include "base/arena.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace base {

Arena::Arena(std::size_t first_block) : first_block_(first_block) {}
Arena::~Arena() = default;

void* Arena::allocate(std::size_t size, std::size_t alignment) {
  CHECK(alignment != 0 && (alignment & (alignment - 1)) == 0);
  const auto address = reinterpret_cast<std::uintptr_t>(free_.data());
  std::size_t padding = (alignment - address % alignment) % alignment;
  if (free_.size() < padding || free_.size() - padding < size) {
    add_block(size + alignment);
    padding = (alignment - reinterpret_cast<std::uintptr_t>(free_.data()) % alignment) % alignment;
  }
  void* result = free_.subspan(padding).data();
  free_ = free_.subspan(padding + size);
  used_ += padding + size;
  return result;
}

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return {};
  const std::span<char> target = allocate_chars(text.size());
  std::ranges::copy(text, target.begin());
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
    std::ranges::copy(piece, rest.begin());
    rest = rest.subspan(piece.size());
  }
  return {target.data(), target.size()};
}

void Arena::reset() noexcept {
  used_ = 0;
  if (blocks_.empty()) return;
  blocks_.resize(1);
  free_ = {blocks_.front().memory.get(), blocks_.front().size};
}

void Arena::add_block(std::size_t at_least) {
  const std::size_t wanted = blocks_.empty() ? first_block_ : blocks_.back().size * 2;
  const std::size_t size = std::max(at_least, std::min<std::size_t>(wanted, 64 * 1024));
  blocks_.push_back({std::unique_ptr<std::byte[]>(new std::byte[size]), size});
  free_ = {blocks_.back().memory.get(), size};
}

}  // namespace base
