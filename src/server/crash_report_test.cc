#include "server/crash_report.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <thread>

#include "base/check.h"

namespace server {
namespace {

#ifndef SALLYPORT_SANITIZED

[[gnu::noinline]] void fail_a_check(int number) { CHECK(number == 3); }

void die_of_a_check() {
  report_crashes("test process");
  set_crash_generation(7);
  fail_a_check(4);
}

// Each frame needs its own, or the compiler makes a loop of it.
[[gnu::noinline]] int use_up_the_stack(volatile int* above) {
  volatile int here[1024]{};
  here[0] = *above;
  if (here[0] != 0) return 0;
  return use_up_the_stack(here) + here[1];
}

void die_of_an_endless_recursion() {
  report_crashes("test process");
  std::thread([] {
    const CrashStack stack;
    ::pthread_setname_np(::pthread_self(), "deep");
    volatile int first = 0;
    static_cast<void>(use_up_the_stack(&first));
  }).join();
}

TEST(CrashReportDeathTest, OfAFailedCheckNamesTheFunctionAndTheGeneration) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(die_of_a_check(), ::testing::KilledBySignal(SIGABRT),
              "CHECK failed: number == 3 at .*"
              "the test process crashed: SIGABRT\n.*generation 7.*"
              "server::\\(anonymous\\)::fail_a_check.*build [0-9a-f]*; lines: addr2line");
}

TEST(CrashReportDeathTest, WorksWhenTheStackIsUsedUp) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(die_of_an_endless_recursion(), ::testing::KilledBySignal(SIGSEGV),
              "crashed: SIGSEGV at address 0x.*thread \"deep\".*use_up_the_stack");
}

#else

TEST(CrashReport, IsTheSanitizersInTheirBuilds) { report_crashes("test process"); }

#endif

}  // namespace
}  // namespace server
