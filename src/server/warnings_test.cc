#include "server/warnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace server {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using upstream::PeerState;

const base::WallTime kNow{std::chrono::sys_days(std::chrono::year(2026) / 11 / 26) + 12h};

std::vector<std::string> texts_of(const Observations& observations) {
  std::vector<std::string> texts;
  for (const Warning& warning : warnings_of(observations)) texts.push_back(warning.text);
  return texts;
}

CertificateFacts certificate(std::chrono::hours left) {
  return {.file = "a.pem",
          .subject = "CN=a",
          .names = {"a.example"},
          .issuer = {},
          .serial = {},
          .not_before = kNow - 24h,
          .not_after = kNow + left};
}

std::vector<std::string> about(const CertificateFacts& facts) {
  return texts_of({.readings = {},
                   .lately = {},
                   .certificates = {&facts, 1},
                   .clusters = {},
                   .silent_workers = {},
                   .now = kNow});
}

TEST(Warnings, CountDownToTheEndOfACertificate) {
  EXPECT_THAT(about(certificate(24h * 22)), IsEmpty());
  EXPECT_THAT(about(certificate(24h * 12 + 1h)),
              ElementsAre("certificate a.pem (a.example) expires in 12 days"));
  EXPECT_THAT(about(certificate(25h)),
              ElementsAre("certificate a.pem (a.example) expires in 1 day"));
  EXPECT_THAT(about(certificate(5h)),
              ElementsAre("certificate a.pem (a.example) expires within a day"));
  EXPECT_THAT(about(certificate(-5h)),
              ElementsAre("certificate a.pem (a.example) has expired today"));
  EXPECT_THAT(about(certificate(-49h)),
              ElementsAre("certificate a.pem (a.example) expired 2 days ago"));
  CertificateFacts future = certificate(24h * 90);
  future.not_before = kNow + 1h;
  EXPECT_THAT(about(future), ElementsAre("certificate a.pem (a.example) is not valid yet"));
}

std::vector<std::string> about(std::vector<PeerState> states) {
  upstream::ClusterReport cluster{.name = "app", .peers = {}};
  for (const PeerState state : states) {
    const std::string address = "10.0.0." + std::to_string(cluster.peers.size() + 1);
    cluster.peers.push_back(
        {.server = address, .address = address, .state = state, .attempts = 5, .failures = 3});
  }
  return texts_of({.readings = {},
                   .lately = {},
                   .certificates = {},
                   .clusters = {&cluster, 1},
                   .silent_workers = {},
                   .now = kNow});
}

TEST(Warnings, TellBackendsThatAreLeftOut) {
  EXPECT_THAT(about({PeerState::up, PeerState::down, PeerState::failing}), IsEmpty());
  EXPECT_THAT(about({PeerState::up, PeerState::failed}),
              ElementsAre("upstream app: 10.0.0.2 has failed and is left out for now (3 of 5 "
                          "attempts failed)"));
  EXPECT_THAT(about({PeerState::down, PeerState::failed}),
              ElementsAre("upstream app: no server is left, all have failed"));
}

TEST(Warnings, TellOfLimitsAndTroublesOnlyWhatIsRecent) {
  const std::vector<observe::Reading> readings{
      {.name = "limit_body_size", .help = "requests refused: client_max_body_size", .value = 9},
      {.name = "limit_uri_size", .help = "x", .value = 9},
      {.name = "limit_keepalive_time", .help = "everyday", .value = 9},
      {.name = "requests", .help = "requests", .value = 9},
      {.name = "log_lines_dropped", .help = "lines of access logs", .value = 9},
      {.name = "loop_stalls", .help = "slow turns", .value = 9}};
  const std::vector<std::uint64_t> lately{2, 0, 5, 5, 1, 3};
  EXPECT_THAT(texts_of({.readings = readings,
                        .lately = lately,
                        .certificates = {},
                        .clusters = {},
                        .silent_workers = {},
                        .now = kNow}),
              ElementsAre("requests refused: client_max_body_size: 2 in the last 10 minutes",
                          "lines of access logs: 1 in the last 10 minutes",
                          "slow turns: 3 in the last 10 minutes"));
}

TEST(Warnings, TellOfWorkersThatHangAndProcessesThatDied) {
  const std::vector<unsigned> silent{1};
  EXPECT_THAT(texts_of({.readings = {},
                        .lately = {},
                        .certificates = {},
                        .clusters = {},
                        .silent_workers = silent,
                        .restarts = 2,
                        .now = kNow}),
              ElementsAre("worker 1 does not answer: it hangs",
                          "the server process died and was started again 2 times"));
}

}  // namespace
}  // namespace server
