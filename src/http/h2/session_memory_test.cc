#include "http/h2/session_memory.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include <gtest/gtest.h>

namespace http::h2 {
namespace {

std::span<std::byte> bytes_of(void* block, std::size_t size) {
  return {static_cast<std::byte*>(block), size};
}

// Small ones, nghttp2's session object and frame block, and what is larger than either.
constexpr std::array<std::size_t, 9> kSizes{1, 64, 1000, 1024, 2928, 4096, 16'384, 16'394, 70'000};

TEST(SessionMemory, BlocksDoNotOverlap) {
  std::vector<std::span<std::byte>> blocks;
  std::array<SessionMemory, 100> sessions;
  for (SessionMemory& memory : sessions) {
    for (const std::size_t size : kSizes) {
      blocks.push_back(bytes_of(memory.allocate(size), size));
      std::ranges::fill(blocks.back(), static_cast<std::byte>(blocks.size() % 251));
    }
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto mark = static_cast<std::byte>((i + 1) % 251);
    EXPECT_EQ(std::ranges::count(blocks[i], mark), static_cast<std::ptrdiff_t>(blocks[i].size()));
    sessions.at(i / kSizes.size()).free(blocks[i].data());
  }
}

TEST(SessionMemory, AZeroedBlockIsZeroAlsoWhenItWasUsedBefore) {
  SessionMemory memory;
  for (const std::size_t size : kSizes) {
    void* first = memory.allocate(size);
    std::ranges::fill(bytes_of(first, size), std::byte{0xff});
    memory.free(first);
    void* second = memory.allocate_zeroed(1, size);
    EXPECT_EQ(std::ranges::count(bytes_of(second, size), std::byte{0}),
              static_cast<std::ptrdiff_t>(size));
    memory.free(second);
  }
}

TEST(SessionMemory, ReallocationKeepsWhatFits) {
  SessionMemory memory;
  void* block = memory.reallocate(nullptr, 10);
  std::ranges::fill(bytes_of(block, 10), std::byte{7});
  for (const std::size_t size : kSizes) {
    block = memory.reallocate(block, size + 10);
    EXPECT_EQ(std::ranges::count(bytes_of(block, 10), std::byte{7}), 10) << size;
  }
  block = memory.reallocate(block, 5);
  EXPECT_EQ(std::ranges::count(bytes_of(block, 5), std::byte{7}), 5);
  memory.free(block);
  memory.free(nullptr);
}

}  // namespace
}  // namespace http::h2
