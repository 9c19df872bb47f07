#include "http/date.h"

#include <gtest/gtest.h>

#include <string>

namespace http {
namespace {

std::chrono::sys_seconds at(long seconds) {
  return std::chrono::sys_seconds(std::chrono::seconds(seconds));
}

TEST(HttpDate, IsWrittenAsImfFixdate) {
  EXPECT_EQ(view(http_date(at(784111777))), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(view(http_date(at(0))), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(view(http_date(at(951782400))), "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST(HttpDate, IsReadInAllThreeForms) {
  for (const std::string_view text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_http_date(text), at(784111777)) << text;
  }
}

TEST(HttpDate, RefusesOtherTexts) {
  for (const std::string_view text :
       {"", "0", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt", "Sun, 06 Nov -994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(HttpDate, HasRoomForEveryYearOfFourDigits) {
  for (const std::string_view text :
       {"Sat, 01 Jan 0000 00:00:00 GMT", "Sat, 06 Nov 1497 08:49:37 GMT",
        "Sun, 06 Nov 3988 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"}) {
    const auto time = parse_http_date(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(view(http_date(*time)), text);
  }
}

TEST(HttpDate, WritesTheNearestThatFourDigitsCanSay) {
  EXPECT_EQ(view(http_date(std::chrono::sys_seconds::max())), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(view(http_date(std::chrono::sys_seconds::min())), "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST(HttpDate, SurvivesARoundTrip) {
  for (long time = 0; time < 4'000'000'000; time += 12'345'678) {
    EXPECT_EQ(parse_http_date(view(http_date(at(time)))), at(time));
  }
}

}  // namespace
}  // namespace http
