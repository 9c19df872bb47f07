#include "guard/state_table.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace guard {
namespace {

std::uint32_t& holders_of(StateTable& table, std::string_view text) {
  auto access = table.access(table.key_of(text));
  State* state = access.find();
  return (state != nullptr ? state : access.add().state)->holders;
}
bool has(StateTable& table, std::string_view text) {
  auto access = table.access(table.key_of(text));
  return access.find() != nullptr;
}
StateTable::Access::Added add(StateTable& table, std::string_view text) {
  auto access = table.access(table.key_of(text));
  EXPECT_EQ(access.find(), nullptr);
  return access.add();
}

TEST(StateTable, KeepsOneStateForEachKey) {
  StateTable table(64 * 16);
  holders_of(table, "a") = 1;
  holders_of(table, "b") = 2;
  EXPECT_EQ(holders_of(table, "a"), 1U);
  EXPECT_EQ(holders_of(table, "b"), 2U);
  EXPECT_EQ(table.size(), 2U);
}

TEST(StateTable, NeverHasMoreStatesThanItsBytesAllow) {
  StateTable table(64 * 16);
  EXPECT_EQ(table.capacity(), 16U);
  for (int i = 0; i < 1000; ++i) EXPECT_NE(add(table, std::to_string(i)).state, nullptr);
  EXPECT_EQ(table.size(), 16U);
}

TEST(StateTable, EvictsTheStateThatWasSeenLongestAgo) {
  StateTable table(64 * 3);
  for (const char* key : {"a", "b", "c"}) EXPECT_FALSE(add(table, key).has_evicted);
  EXPECT_TRUE(has(table, "a"));  // seen again
  EXPECT_TRUE(add(table, "d").has_evicted);
  EXPECT_TRUE(has(table, "a"));
  EXPECT_FALSE(has(table, "b"));
  EXPECT_TRUE(has(table, "c"));
}

TEST(StateTable, EvictsNoStateThatIsHeld) {
  StateTable table(64 * 3);
  for (const char* key : {"a", "b", "c"}) holders_of(table, key) = 1;
  EXPECT_EQ(add(table, "d").state, nullptr);
  holders_of(table, "b") = 0;
  const auto added = add(table, "d");
  EXPECT_NE(added.state, nullptr);
  EXPECT_FALSE(has(table, "b"));
  EXPECT_TRUE(has(table, "a"));
}

TEST(StateTable, UsesThePlaceOfARemovedState) {
  StateTable table(64 * 2);
  for (int i = 0; i < 100; ++i) {
    auto access = table.access(table.key_of(std::to_string(i)));
    ASSERT_EQ(access.find(), nullptr);
    const auto added = access.add();
    ASSERT_NE(added.state, nullptr);
    EXPECT_FALSE(added.has_evicted);
    EXPECT_EQ(added.state->holders, 0U);
    added.state->holders = 7;
    access.remove();
  }
  EXPECT_EQ(table.size(), 0U);
}

TEST(StateTable, DividesItselfWithoutLosingPlaces) {
  const StateTable table(64 * 100'000);
  EXPECT_LE(table.capacity(), 100'000U);
  EXPECT_GT(table.capacity(), 99'900U);
}

TEST(StateTable, IsSharedByThreads) {
  StateTable table(64 * 100'000);
  const auto count = [&] {
    for (int i = 0; i < 2000; ++i) {
      auto access = table.access(table.key_of(std::to_string(i % 50)));
      State* state = access.find();
      ++(state != nullptr ? state : access.add().state)->holders;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(count);
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(holders_of(table, std::to_string(i)), 160U);
}

}  // namespace
}  // namespace guard
