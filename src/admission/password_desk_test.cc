#include "admission/password_desk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "async/executor.h"
#include "base/clock.h"

namespace admission {
namespace {

using observe::Counter;
using Answer = PasswordDesk::Answer;

constexpr std::string_view kQuick = "{PLAIN}secret";
constexpr std::string_view kSlow = "$apr1$12345678$0lqb/6VUFP8JY/s/jTrIk0";

class Desk : public ::testing::Test {
 protected:
  async::Task<void> check(std::string_view stored, std::string_view password,
                          std::optional<Answer>& answer) {
    answer = co_await desk_.check(stored, password);
  }
  // Begins; not yet answered where it takes the thread.
  std::optional<Answer>& begin(std::string_view stored, std::string_view password) {
    answers_.push_back(std::make_unique<std::optional<Answer>>());
    scope_.spawn(check(stored, password, *answers_.back()));
    return *answers_.back();
  }
  Answer ask(std::string_view stored, std::string_view password) {
    const std::optional<Answer>& answer = begin(stored, password);
    finish();
    return *answer;
  }
  void finish() {
    while (scope_.running() > 0) loop_.turn(std::chrono::milliseconds(100));
  }
  std::uint64_t count(Counter counter) { return counters_.get(counter); }

  base::SystemClock clock_;
  io::EventLoop loop_{clock_};
  async::Executor::Use use_{loop_.executor()};
  observe::CounterLayout layout_;
  observe::Counters counters_{layout_};
  async::Scope scope_;
  PasswordDesk desk_{loop_, counters_};
  std::vector<std::unique_ptr<std::optional<Answer>>> answers_;
};

TEST_F(Desk, ComparesQuickSchemesAtOnce) {
  EXPECT_EQ(begin(kQuick, "secret"), Answer::right);
  EXPECT_EQ(begin(kQuick, "other"), Answer::wrong);
}

TEST_F(Desk, ComputesSlowSchemesElsewhere) {
  EXPECT_EQ(begin(kSlow, "secret"), std::nullopt);
  finish();
  EXPECT_EQ(*answers_.front(), Answer::right);
  EXPECT_EQ(ask(kSlow, "other"), Answer::wrong);
}

TEST_F(Desk, RemembersWhatWasRight) {
  EXPECT_EQ(ask(kSlow, "secret"), Answer::right);
  EXPECT_EQ(begin(kSlow, "secret"), Answer::right);
  EXPECT_EQ(count(Counter::passwords_computed), 1U);
  EXPECT_EQ(count(Counter::passwords_found), 1U);
}

TEST_F(Desk, RemembersNothingOfAnotherLineOrPassword) {
  EXPECT_EQ(ask(kSlow, "secret"), Answer::right);
  EXPECT_EQ(ask("$apr1$abc$BfqKdn9xFDWJPa3kcp/PH0", "secret"), Answer::wrong);
  EXPECT_EQ(ask(kSlow, "other"), Answer::wrong);
  EXPECT_EQ(ask(kSlow, "other"), Answer::wrong);
  EXPECT_EQ(count(Counter::passwords_computed), 4U);
}

TEST_F(Desk, RefusesWhenTooManyWait) {
  for (std::size_t i = 0; i < 2 * PasswordDesk::kMostWaiting; ++i) {
    static_cast<void>(begin("$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "x"));
  }
  finish();
  const auto busy =
      std::ranges::count_if(answers_, [](const auto& answer) { return *answer == Answer::busy; });
  EXPECT_GT(busy, 0);
  EXPECT_LE(busy, static_cast<std::ptrdiff_t>(PasswordDesk::kMostWaiting));
  EXPECT_EQ(count(Counter::limit_password_queue), static_cast<std::uint64_t>(busy));
}

TEST_F(Desk, LetsGoOfWhoeverLeaves) {
  const std::optional<Answer>& answer = begin(kSlow, "secret");
  scope_.request_stop();
  finish();
  EXPECT_EQ(answer, Answer::cancelled);
}

}  // namespace
}  // namespace admission
