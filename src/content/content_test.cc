#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "content/error_page.h"
#include "content/redirect.h"

namespace content {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ErrorPage, LooksLikeNginxsWithOurName) {
  EXPECT_EQ(error_page(404, false),
            "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n"
            "<center><h1>404 Not Found</h1></center>\r\n<hr><center>sallyport</center>\r\n"
            "</body>\r\n</html>\r\n");
}

TEST(ErrorPage, TellsTheVersionOnlyWhenAskedTo) {
  EXPECT_THAT(std::string(error_page(502, false)), HasSubstr("<hr><center>sallyport</center>"));
  EXPECT_THAT(std::string(error_page(502, true)),
              HasSubstr("<hr><center>" + std::string(server_text(true)) + "</center>"));
  EXPECT_THAT(std::string(server_text(true)), StartsWith("sallyport/"));
  EXPECT_EQ(server_text(false), "sallyport");
}

TEST(ErrorPage, SaysWhatIsWrongBehindA400) {
  EXPECT_EQ(error_page(497, false),
            "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title>"
            "</head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n"
            "<center>The plain HTTP request was sent to HTTPS port</center>\r\n"
            "<hr><center>sallyport</center>\r\n</body>\r\n</html>\r\n");
  EXPECT_THAT(std::string(error_page(494, false)),
              HasSubstr("<h1>400 Bad Request</h1></center>\r\n"
                        "<center>Request Header Or Cookie Too Large</center>"));
}

TEST(ErrorPage, IsThereForRedirects) {
  EXPECT_THAT(std::string(error_page(301, false)), HasSubstr("<h1>301 Moved Permanently</h1>"));
  EXPECT_THAT(std::string(error_page(302, false)), HasSubstr("<h1>302 Found</h1>"));
  EXPECT_THAT(std::string(error_page(308, false)), HasSubstr("<h1>308 Permanent Redirect</h1>"));
}

TEST(ErrorPage, IsEmptyForStatusesWithoutOne) {
  for (const unsigned status : {0U, 100U, 200U, 204U, 300U, 304U, 417U, 418U, 422U, 425U, 426U,
                                431U, 451U, 444U, 599U, 600U, 999U}) {
    EXPECT_EQ(error_page(status, false), "") << status;
    EXPECT_EQ(error_page(status, true), "") << status;
  }
}

TEST(ErrorPage, IsMadeOnce) {
  EXPECT_EQ(error_page(404, false).data(), error_page(404, false).data());
}

class AbsoluteLocation : public ::testing::Test {
 protected:
  std::string_view at(std::string_view address, std::uint16_t port, bool tls,
                      std::string_view location) {
    connection_.local = *base::Address::from_ip(address, port);
    connection_.tls = tls;
    return absolute_location(location, exchange_, options_);
  }
  AbsoluteLocation() { exchange_.request.host = "example.com"; }
  exchange::Connection connection_;
  base::Arena arena_;
  exchange::Exchange exchange_{connection_, arena_};
  RedirectOptions options_;
};

TEST_F(AbsoluteLocation, ShowsAPortThatIsNotTheSchemesOwn) {
  EXPECT_EQ(at("127.0.0.1", 80, false, "/a"), "http://example.com/a");
  EXPECT_EQ(at("127.0.0.1", 443, true, "/a"), "https://example.com/a");
  EXPECT_EQ(at("127.0.0.1", 8080, false, "/a?b=/c"), "http://example.com:8080/a?b=/c");
  EXPECT_EQ(at("::1", 443, false, "/a"), "http://example.com:443/a");
  EXPECT_EQ(at("::1", 65535, true, "/a"), "https://example.com:65535/a");
}

TEST_F(AbsoluteLocation, ShowsThePortOfTheListenerAndNotOfTheHost) {
  exchange_.request.port = 1234;
  EXPECT_EQ(at("127.0.0.1", 8443, true, "/"), "https://example.com:8443/");
}

TEST_F(AbsoluteLocation, LeavesEverythingElseAsItIs) {
  for (const std::string_view location : {"https://other.example/", "a/b", "", "?a", "#a"}) {
    EXPECT_EQ(at("127.0.0.1", 80, false, location), location);
  }
}

TEST_F(AbsoluteLocation, KeepsTwoSlashesBehindTheHost) {
  EXPECT_EQ(at("127.0.0.1", 80, false, "//evil.example/"), "http://example.com//evil.example/");
}

TEST_F(AbsoluteLocation, TakesTheServersNameWithoutAHost) {
  exchange_.request.host = {};
  exchange_.server_name = "first.example";
  EXPECT_EQ(at("127.0.0.1", 80, false, "/a"), "http://first.example/a");
  exchange_.server_name = {};
  EXPECT_EQ(at("127.0.0.1", 80, false, "/a"), "/a");
}

TEST_F(AbsoluteLocation, KeepsTheBracketsOfAnIPv6Host) {
  exchange_.request.host = "[2001:db8::1]";
  EXPECT_EQ(at("2001:db8::1", 8080, false, "/a"), "http://[2001:db8::1]:8080/a");
}

TEST_F(AbsoluteLocation, HasNoPortOnUnixSockets) {
  connection_.local = *base::Address::from_path("/run/s");
  EXPECT_EQ(absolute_location("/a", exchange_, options_), "http://example.com/a");
}

TEST_F(AbsoluteLocation, LeavesOutWhatItIsTold) {
  exchange_.server_name = "first.example";
  options_.with_port.value = false;
  EXPECT_EQ(at("127.0.0.1", 8080, false, "/a"), "http://example.com/a");
  options_.with_server_name.value = true;
  EXPECT_EQ(at("127.0.0.1", 8080, false, "/a"), "http://first.example/a");
  exchange_.server_name = {};
  EXPECT_EQ(at("127.0.0.1", 8080, false, "/a"), "http://example.com/a");
  options_.absolute.value = false;
  EXPECT_EQ(at("127.0.0.1", 8080, false, "/a"), "/a");
}

}  // namespace
}  // namespace content
