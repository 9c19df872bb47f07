#include "server/service_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace server {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

TEST(ServiceManager, IsNotThereWithoutAUsableAddress) {
  EXPECT_FALSE(ServiceManager().is_there());
  for (const std::string_view address : {"", "/", "@", "relative", "vsock:2:1"}) {
    EXPECT_FALSE(ServiceManager(address).is_there()) << address;
  }
  EXPECT_FALSE(ServiceManager(std::string(200, '/')).is_there());
  ServiceManager().tell_ready(1, "nobody hears it");
}

TEST(WatchdogTime, IsTheOneOfThisProcess) {
  EXPECT_EQ(watchdog_time({.watchdog_usec = "3000000"}, 7), 3s);
  EXPECT_EQ(watchdog_time({.watchdog_usec = "3000000", .watchdog_pid = "7"}, 7), 3s);
  EXPECT_EQ(watchdog_time({.watchdog_usec = "3000000", .watchdog_pid = "8"}, 7), std::nullopt);
}

TEST(WatchdogTime, IsNoneForWhatIsNoTime) {
  for (const std::string text : {"", "0", "-1", "3s", "99999999999999999999999"}) {
    EXPECT_EQ(watchdog_time({.watchdog_usec = text}, 7), std::nullopt) << text;
  }
}

TEST(Watchdog, AsksOneQuestionAtATime) {
  const base::TimePoint start{1h};
  Watchdog watchdog(8s);
  EXPECT_TRUE(watchdog.asks(start));
  EXPECT_FALSE(watchdog.asks(start + 2s)) << "there is no answer yet";
  EXPECT_EQ(watchdog.due(), base::kNoDeadline);
  watchdog.on_answer();
  EXPECT_EQ(watchdog.due(), start + 2s);
  EXPECT_FALSE(watchdog.asks(start + 1s));
  EXPECT_TRUE(watchdog.asks(start + 2s));
  watchdog.start_anew();
  EXPECT_TRUE(watchdog.asks(start + 4s));
}

TEST(Watchdog, IsStillWhenNobodyAsksForIt) {
  Watchdog watchdog(std::nullopt);
  EXPECT_EQ(watchdog.due(), base::kNoDeadline);
  EXPECT_FALSE(watchdog.asks(base::TimePoint(1h)));
}

TEST(InheritedSockets, AreForTheProcessThatIsNamed) {
  EXPECT_EQ(inherited_count({.listen_fds = "2", .listen_pid = "7"}, 7), 2U);
  EXPECT_EQ(inherited_count({.listen_fds = "2", .listen_pid = "8"}, 7), 0U);
  EXPECT_EQ(inherited_count({.listen_fds = "2"}, 7), 0U);
  EXPECT_EQ(inherited_count({.listen_fds = "x", .listen_pid = "7"}, 7), 0U);
  EXPECT_EQ(inherited_count({.listen_fds = "-1", .listen_pid = "7"}, 7), 0U);
  EXPECT_EQ(inherited_count({.listen_fds = "4000000000", .listen_pid = "7"}, 7), 0U);
}

TEST(InheritedSockets, AreNamedInTheirOrder) {
  EXPECT_THAT(inherited_names("http:https", 2), ElementsAre("http", "https"));
  EXPECT_THAT(inherited_names(":b:", 3), ElementsAre("", "b", ""));
  EXPECT_THAT(inherited_names("", 2), ElementsAre("", ""));
  EXPECT_THAT(inherited_names("a:b:c", 1), ElementsAre("a"));
}

}  // namespace
}  // namespace server
