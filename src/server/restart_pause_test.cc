#include "server/restart_pause.h"

#include <gtest/gtest.h>

namespace server {
namespace {

using namespace std::chrono_literals;

TEST(RestartPause, GrowsWithEachProcessThatDiesBeforeItServes) {
  RestartPause pause;
  EXPECT_EQ(pause.next(1ms, false), 20ms);
  EXPECT_EQ(pause.next(1ms, false), 40ms);
  for (int i = 0; i < 20; ++i) static_cast<void>(pause.next(1ms, false));
  EXPECT_EQ(pause.next(1ms, false), RestartPause::kLongest);
}

TEST(RestartPause, StaysShortForOneThatHasServed) {
  RestartPause pause;
  for (int i = 0; i < 20; ++i) static_cast<void>(pause.next(1ms, false));
  EXPECT_EQ(pause.next(1s, true), RestartPause::kLongestToServe);
}

TEST(RestartPause, BeginsAnewAfterAProcessThatLivedLong) {
  RestartPause pause;
  for (int i = 0; i < 20; ++i) static_cast<void>(pause.next(1ms, false));
  EXPECT_EQ(pause.next(11s, true), RestartPause::kFirst);
  EXPECT_EQ(pause.next(10s, true), 2 * RestartPause::kFirst);
}

}  // namespace
}  // namespace server
