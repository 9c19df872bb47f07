#include "base/arena.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace base {
namespace {

TEST(Arena, KeepsEveryCopyUntilReset) {
  Arena arena(64);
  std::vector<std::string_view> views;
  for (int i = 0; i < 200; ++i) views.push_back(arena.copy("item " + std::to_string(i)));
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(views[static_cast<std::size_t>(i)], "item " + std::to_string(i));
  }
  arena.reset();
  EXPECT_EQ(arena.used(), 0U);
}

TEST(Arena, AlignsObjectsAfterText) {
  Arena arena(64);
  (void)arena.copy("x");
  const auto* number = arena.make<std::uint64_t>(7U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(number) % alignof(std::uint64_t), 0U);
  EXPECT_EQ(arena.join("a", "b", "c"), "abc");
}

}  // namespace
}  // namespace base
