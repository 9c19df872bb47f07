#include "tls/session_cache.h"

#include <gtest/gtest.h>

namespace tls {
namespace {

using std::chrono::seconds;

constexpr std::size_t kSession = 100;
constexpr std::size_t kCost = kSession + SessionCache::kOverhead;

std::vector<std::uint8_t> session(std::uint8_t mark) {
  return std::vector<std::uint8_t>(kSession, mark);
}

TEST(SessionCache, GivesBackWhatWasStored) {
  SessionCache cache(10 * kCost);
  EXPECT_EQ(cache.store("a", session(1), seconds(100), seconds(0)), 0U);
  EXPECT_EQ(cache.find("a", seconds(99)), session(1));
  EXPECT_EQ(cache.find("b", seconds(99)), std::nullopt);
}

TEST(SessionCache, ForgetsWhatHasExpired) {
  SessionCache cache(10 * kCost);
  cache.store("a", session(1), seconds(100), seconds(0));
  EXPECT_EQ(cache.find("a", seconds(100)), std::nullopt);
}

TEST(SessionCache, DropsTheOldestWhenItIsFull) {
  SessionCache cache(2 * kCost);
  cache.store("a", session(1), seconds(100), seconds(0));
  cache.store("b", session(2), seconds(100), seconds(0));
  EXPECT_EQ(cache.store("c", session(3), seconds(100), seconds(0)), 1U);
  EXPECT_EQ(cache.find("a", seconds(1)), std::nullopt);
  EXPECT_EQ(cache.find("b", seconds(1)), session(2));
  EXPECT_EQ(cache.find("c", seconds(1)), session(3));
  EXPECT_EQ(cache.size(), 2U);
}

TEST(SessionCache, MakesRoomOfWhatHasExpiredFirst) {
  SessionCache cache(2 * kCost);
  cache.store("a", session(1), seconds(10), seconds(0));
  cache.store("b", session(2), seconds(100), seconds(0));
  EXPECT_EQ(cache.store("c", session(3), seconds(100), seconds(20)), 0U);
  EXPECT_EQ(cache.find("b", seconds(20)), session(2));
}

TEST(SessionCache, ReplacesASession) {
  SessionCache cache(kCost);
  cache.store("a", session(1), seconds(100), seconds(0));
  EXPECT_EQ(cache.store("a", session(2), seconds(100), seconds(0)), 0U);
  EXPECT_EQ(cache.find("a", seconds(1)), session(2));
  EXPECT_EQ(cache.size(), 1U);
}

TEST(SessionCache, RemovesASession) {
  SessionCache cache(kCost);
  cache.store("a", session(1), seconds(100), seconds(0));
  cache.remove("a");
  cache.remove("a");
  EXPECT_EQ(cache.find("a", seconds(1)), std::nullopt);
}

TEST(SessionCache, DoesNotKeepASessionLargerThanItself) {
  SessionCache cache(kCost - 1);
  EXPECT_EQ(cache.store("a", session(1), seconds(100), seconds(0)), 0U);
  EXPECT_EQ(cache.size(), 0U);
}

TEST(SessionCaches, GiveTheSameCacheForTheSameNameAndSize) {
  SessionCaches caches;
  const auto first = caches.get("SSL", kCost);
  EXPECT_EQ(caches.get("SSL", kCost), first);
  EXPECT_NE(caches.get("other", kCost), first);
}

TEST(SessionCaches, MakeANewOneOfAnotherSize) {
  SessionCaches caches;
  const auto first = caches.get("SSL", kCost);
  const auto second = caches.get("SSL", 2 * kCost);
  EXPECT_NE(first, second);
  EXPECT_EQ(caches.get("SSL", 2 * kCost), second);
}

TEST(SessionCaches, ForgetACacheThatNobodyUses) {
  SessionCaches caches;
  caches.get("SSL", kCost)->store("a", session(1), seconds(100), seconds(0));
  EXPECT_EQ(caches.get("SSL", kCost)->size(), 0U);
}

}  // namespace
}  // namespace tls
