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

// Small ones, nghttp2's frame block, and what is larger than either.
constexpr std::array<std::size_t, 8> kSizes{1, 64, 1000, 1024, 4096, 16'384, 16'394, 70'000};

TEST(SessionMemory, BlocksDoNotOverlap) {
  std::vector<std::span<std::byte>> blocks;
  for (int round = 0; round < 100; ++round) {
    for (const std::size_t size : kSizes) {
      blocks.push_back(bytes_of(allocate_for_session(size, nullptr), size));
      std::ranges::fill(blocks.back(), static_cast<std::byte>(blocks.size() % 251));
    }
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto mark = static_cast<std::byte>((i + 1) % 251);
    EXPECT_EQ(std::ranges::count(blocks[i], mark), static_cast<std::ptrdiff_t>(blocks[i].size()));
    free_of_session(blocks[i].data(), nullptr);
  }
}

TEST(SessionMemory, AZeroedBlockIsZeroAlsoWhenItWasUsedBefore) {
  for (const std::size_t size : kSizes) {
    void* first = allocate_for_session(size, nullptr);
    std::ranges::fill(bytes_of(first, size), std::byte{0xff});
    free_of_session(first, nullptr);
    void* second = allocate_zeroed_for_session(1, size, nullptr);
    EXPECT_EQ(std::ranges::count(bytes_of(second, size), std::byte{0}),
              static_cast<std::ptrdiff_t>(size));
    free_of_session(second, nullptr);
  }
}

TEST(SessionMemory, ReallocationKeepsWhatFits) {
  void* block = reallocate_for_session(nullptr, 10, nullptr);
  std::ranges::fill(bytes_of(block, 10), std::byte{7});
  for (const std::size_t size : kSizes) {
    block = reallocate_for_session(block, size + 10, nullptr);
    EXPECT_EQ(std::ranges::count(bytes_of(block, 10), std::byte{7}), 10) << size;
  }
  block = reallocate_for_session(block, 5, nullptr);
  EXPECT_EQ(std::ranges::count(bytes_of(block, 5), std::byte{7}), 5);
  free_of_session(block, nullptr);
  free_of_session(nullptr, nullptr);
}

}  // namespace
}  // namespace http::h2
