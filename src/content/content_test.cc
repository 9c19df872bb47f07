#include <gtest/gtest.h>

#include "content/error_page.h"
#include "content/return_directive.h"

namespace content {
namespace {

TEST(ErrorPage, LooksLikeNginxsWithOurName) {
  EXPECT_EQ(error_page(404, false),
            "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n"
            "<center><h1>404 Not Found</h1></center>\r\n<hr><center>sallyport</center>\r\n"
            "</body>\r\n</html>\r\n");
  EXPECT_NE(error_page(497, false).find("plain HTTP request was sent to HTTPS port"),
            std::string_view::npos);
  EXPECT_EQ(error_page(200, false), "");
}

TEST(AbsoluteLocation, ShowsAPortThatIsNotTheSchemesOwn) {
  base::Arena arena;
  exchange::Connection connection;
  connection.local = *base::Address::from_ip("127.0.0.1", 8080);
  exchange::Exchange exchange(connection, arena);
  exchange.request.host = "example.com";
  EXPECT_EQ(absolute_location("/a", exchange), "http://example.com:8080/a");
  EXPECT_EQ(absolute_location("https://other/", exchange), "https://other/");
  connection.local = *base::Address::from_ip("127.0.0.1", 443);
  connection.tls = true;
  EXPECT_EQ(absolute_location("/a", exchange), "https://example.com/a");
}

}  // namespace
}  // namespace content
