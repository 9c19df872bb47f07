#include "cli/status_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cli {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kStatus = R"({"version":"0.1.0","generation":3,"state":"running",
  "pid":{"supervisor":10,"server":11},"server_restarts":0,"server_uptime_seconds":90061,
  "listeners":[{"address":"0.0.0.0:443","tls":true},{"address":"unix:/run/x","tls":false}],
  "workers":[{"index":0,"connections":7,"requests":18446744073709551615,"loop_turns":5,
  "loop_stalls":0}],
  "counters":{"requests":12,"tunnels":0,"refused_by_rule":{"bare_lf":2,"nul":0}}})";

TEST(StatusText, TellsWhatRuns) {
  const std::string text = *render_status(kStatus);
  EXPECT_THAT(text, HasSubstr("Sallyport 0.1.0, running, generation 3"));
  EXPECT_THAT(text, HasSubstr("supervisor 10, server 11, up 1 d 01:01:01"));
  EXPECT_THAT(text, HasSubstr("0.0.0.0:443  tls\n"));
  EXPECT_THAT(text, HasSubstr("refused_by_rule bare_lf"));
}

TEST(StatusText, LeavesZeroCountersOut) {
  EXPECT_THAT(*render_status(kStatus), Not(HasSubstr("tunnels")));
}

TEST(StatusText, Fits80Columns) {
  const std::string text = *render_status(kStatus);
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    EXPECT_LE(end, 80U);
    rest.remove_prefix(end + 1);
  }
}

TEST(StatusText, TakesAnswersOfOtherVersions) {
  EXPECT_TRUE(render_status("{}"));
  EXPECT_TRUE(render_status(R"({"version":5,"pid":[],"listeners":{},"counters":{"x":"y"}})"));
}

TEST(StatusText, PassesErrorsOn) {
  EXPECT_EQ(render_status(R"({"error":"unknown command"})").error(), "unknown command");
  EXPECT_EQ(render_status("nonsense").error(), "the answer is not JSON");
  EXPECT_EQ(indent_status("[]").error(), "the answer is not JSON");
}

}  // namespace
}  // namespace cli
