#include "cli/status_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

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

void expect_80_columns(std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const auto columns = std::ranges::count_if(
        line, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; });
    EXPECT_LE(columns, 80) << line;
    rest.remove_prefix(line.size() + 1);
  }
}

TEST(StatusText, TellsWhatRuns) {
  const std::string text = *render_status(kStatus);
  EXPECT_THAT(text, HasSubstr("Sallyport 0.1.0, running, generation 3"));
  EXPECT_THAT(text, HasSubstr("supervisor 10, server 11, up 1 d 01:01:01"));
  EXPECT_THAT(text, HasSubstr("Listeners     0.0.0.0:443 tls, unix:/run/x\n"));
  EXPECT_THAT(text, HasSubstr("refused_by_rule bare_lf"));
}

TEST(StatusText, TellsOfProcessesThatEndAndOfTheLastReload) {
  const std::string_view status = R"({"draining":[
    {"pid":7,"since":"2026-11-26T01:02:03Z","connections":12},
    {"pid":8,"since":"2026-11-26T01:02:04Z","connections":null}],
    "last_reload":{"time":"2026-11-26T01:02:05Z","outcome":"refused","generation":3,
    "text":"unknown directive \"lissten\" in /etc/sallyport/conf.d/a-rather-long-name-of-a-site.conf:120, and 3 more"},
    "listeners":[{"address":"0.0.0.0:443","tls":true,"proxy_protocol":true}]})";
  const std::string text = *render_status(status);
  EXPECT_THAT(text, HasSubstr("  server 7 ends since 2026-11-26T01:02:03Z, connections left 12\n"
                              "  server 8 ends since 2026-11-26T01:02:04Z\n"
                              "  last reload 2026-11-26T01:02:05Z, refused: unknown directive"));
  EXPECT_THAT(text, HasSubstr("Listeners     0.0.0.0:443 tls proxy_protocol\n"));
  expect_80_columns(text);
  EXPECT_THAT(*render_status(status, {.colored = true}), HasSubstr("\x1b[1;31m  last reload"));
  EXPECT_THAT(*render_status(R"({"draining":[],"last_reload":null})"),
              Not(HasSubstr("last reload")));
}

TEST(StatusText, TellsOfTheOldProgramAfterAnUpgrade) {
  EXPECT_THAT(*render_status(R"({"old_program":{"pid":7,"state":"active","connections":null}})"),
              HasSubstr("\n  old program, pid 7, active\n"));
  EXPECT_THAT(*render_status(R"({"old_program":{"pid":7,"state":"draining","connections":3}})"),
              HasSubstr("\n  old program, pid 7, draining, connections left 3\n"));
  EXPECT_THAT(*render_status(R"({"old_program":null})"), Not(HasSubstr("old program")));
}

TEST(StatusText, LeavesZeroCountersOut) {
  EXPECT_THAT(*render_status(kStatus), Not(HasSubstr("tunnels")));
}

TEST(StatusText, Fits80Columns) { expect_80_columns(*render_status(kStatus)); }

constexpr std::string_view kBusy = R"json({"time_ms":1000,"pid":{"server":11},
  "warnings":[{"about":"upstream","text":"upstream app: 10.0.0.1:80 has failed and is left out for now (2 of 2 attempts failed)"
}],
  "counters":{"requests":100,"responses_5xx":1,"handshakes_resumed":3,"handshakes_full":1,
  "handshakes_by_version":{"TLSv1.2":1,"TLSv1.3":3}},
  "request_times_us":{"buckets":[[1000,90],[20000,10]]},
  "zones":[{"name":"clients","of":"limit_req","states":12,"capacity":163840}],
  "upstreams":[{"name":"app","group":true,"peers":[
    {"server":"10.0.0.1:80","address":"10.0.0.1:80","state":"failed","active":0,"idle":1,"attempts":2,"failures":2},
    {"server":"backend.example.com","address":"10.0.0.2:80","state":"up","backup":true,"attempts":12345}]}],
  "servers":[{"name":"0.0.0.0:443, 0.0.0.0:80 a.example","requests":5,"2xx":5,"bytes_out":1234567}],
  "locations":[{"name":"0.0.0.0:443, 0.0.0.0:80 a.example: /x","requests":4,"2xx":3,"5xx":1},
    {"name":"0.0.0.0:81 b.example: /","requests":7},{"name":"0.0.0.0:82 b.example: /","requests":1}],
  "certificates":[{"file":"/etc/ssl/certs/a-very-long-name-of-a-file-that-does-not-fit.pem",
    "names":["a.example","b.example"],"not_after":"2027-01-02T03:04:05Z","days_left":-3}]
})json";

TEST(StatusText, BeginsWithWhatNeedsAttention) {
  const std::string text = *render_status(kBusy);
  EXPECT_LT(text.find("! upstream app: 10.0.0.1:80 has failed"), text.find("Connections"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(*render_status(kBusy, {.colored = true}), HasSubstr("\x1b[1;31m! upstream"));
  expect_80_columns(text);
}

TEST(StatusText, TellsBackendsPlacesAndCertificates) {
  const std::string text = *render_status(kBusy);
  EXPECT_THAT(text, HasSubstr("  10.0.0.1:80                         failed         0     1"));
  EXPECT_THAT(text, HasSubstr("  backend.example.com 10.0.0.2:80     up, backup"));
  EXPECT_THAT(text, HasSubstr("  a.example                              5      5"));
  // Two of one name are told apart by their addresses; the busiest first.
  EXPECT_LT(text.find("0.0.0.0:81 b.example: /"), text.find("  a.example: /x"));
  EXPECT_THAT(text, HasSubstr("a.example +1"));
  EXPECT_THAT(text, HasSubstr("2027-01-02    -3\n"));
  EXPECT_THAT(text,
              HasSubstr("4 handshakes, 75 % resumed\n              TLSv1.3 75 %, TLSv1.2 25 %"));
  EXPECT_THAT(text, HasSubstr("p50 1.0 ms, p90 1.0 ms, p99 20 ms"));
}

TEST(StatusText, TellsHowFullZonesAre) {
  EXPECT_THAT(*render_status(kBusy),
              HasSubstr("  clients                             limit_req  "));
  EXPECT_THAT(*render_status("{}"), Not(HasSubstr("Zones")));
}

TEST(StatusText, TellsRatesSinceTheAnswerBefore) {
  const std::string later = R"({"time_ms":3000,"pid":{"server":11},"counters":{"requests":300},
    "request_times_us":{"buckets":[[1000,90],[20000,12]]}})";
  const std::string text = *render_status(later, {.previous = kBusy});
  EXPECT_THAT(text, HasSubstr("Requests      300 (100/s)"));
  EXPECT_THAT(text, HasSubstr("p50 20 ms"));  // of the two since then
}

TEST(StatusText, TellsNoRatesOverARestart) {
  const std::string later = R"({"time_ms":3000,"pid":{"server":12},"counters":{"requests":5}})";
  EXPECT_THAT(*render_status(later, {.previous = kBusy}), Not(HasSubstr("/s)")));
}

TEST(StatusText, LetsNamesSteerNoTerminal) {
  const std::string text = *render_status(
      R"({"warnings":[{"text":"a\u001b[2Jb"}],"servers":[{"name":"x\u001b[2J y","requests":1}]})");
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
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
