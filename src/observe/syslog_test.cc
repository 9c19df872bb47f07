#include "observe/syslog.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace observe {
namespace {

constexpr base::WallTime kTime{std::chrono::seconds(1793612909)};  // 2026-11-02T09:48:29Z

TEST(Syslog, WritesRfc3164AsNginxDoes) {
  setenv("TZ", "UTC", 1);
  tzset();
  SyslogOptions options;
  EXPECT_EQ(format_datagram(options, "here", 6, "GET /\n", kTime),
            "<190>Nov  2 09:48:29 here sallyport: GET /");
  options.facility = 3;
  options.tag = "edge_1";
  options.hostname = false;
  EXPECT_EQ(format_datagram(options, "here", 0, "no line feed", kTime),
            "<24>Nov  2 09:48:29 edge_1: no line feed");
}

TEST(Syslog, CutsWhatNoDatagramHolds) {
  EXPECT_EQ(format_datagram({}, "here", 6, std::string(100'000, 'x'), kTime).size(),
            Syslog::kMaxDatagram);
}

TEST(Syslog, KnowsTheFacilities) {
  EXPECT_EQ(parse_facility("kern"), 0);
  EXPECT_EQ(parse_facility("authpriv"), 10);
  EXPECT_EQ(parse_facility("local7"), 23);
  EXPECT_EQ(parse_facility("local8"), std::nullopt);
}

}  // namespace
}  // namespace observe
