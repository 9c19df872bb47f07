#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/demonstration.h"
#include "cli/demonstration_backend.h"

namespace cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Demonstration, ConfigurationNamesItsFilesAndItsBackend) {
  const std::string text = demonstration_configuration("/state", 4711);
  EXPECT_THAT(text, HasSubstr("\"/state/certificate.pem\""));
  EXPECT_THAT(text, HasSubstr("proxy_pass http://127.0.0.1:4711;"));
  EXPECT_THAT(text, HasSubstr("return 301 https://$host:8443$request_uri;"));
}

TEST(DemonstrationBackend, ReadsWhatItIsSent) {
  const auto request = read_request("GET /a?b HTTP/1.1\r\nHost: x\r\nAccept:  text/html \r\n\r\n");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->line, "GET /a?b HTTP/1.1");
  EXPECT_EQ(request->fields.size(), 2U);
  EXPECT_EQ(request->field("accept"), "text/html");
  EXPECT_EQ(request->field("none"), "");
  EXPECT_FALSE(read_request("nonsense\r\n\r\n"));
  EXPECT_FALSE(read_request("GET / HTTP/1.1\r\nno colon\r\n\r\n"));
}

TEST(DemonstrationBackend, EscapesEverythingThatCameFromOutside) {
  const auto request =
      read_request("GET /<script> HTTP/1.1\r\n<b>: \"'&\r\nX-Sallyport-Server-Name: <i>\r\n\r\n");
  const std::string page = render_page(*request);
  EXPECT_THAT(page, Not(HasSubstr("<script>")));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
  EXPECT_THAT(page, Not(HasSubstr("<i>")));
  EXPECT_THAT(page, HasSubstr("GET /&lt;script&gt; HTTP/1.1"));
  EXPECT_THAT(page, HasSubstr("&quot;&#39;&amp;"));
}

TEST(DemonstrationBackend, LoadsNothingFromElsewhere) {
  const std::string page = render_page(*read_request("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_THAT(page, Not(HasSubstr("http:")));
  EXPECT_THAT(page, Not(HasSubstr("https:")));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
}

TEST(DemonstrationBackend, ShowsTheRequestAsText) {
  const std::string text =
      render_text(*read_request("GET / HTTP/1.1\r\nX-Sallyport-Protocol: TLSv1.3\r\n\r\n"));
  EXPECT_THAT(text, HasSubstr("Protocol           TLSv1.3\n"));
  EXPECT_THAT(text, HasSubstr("  GET / HTTP/1.1\n  X-Sallyport-Protocol: TLSv1.3\n"));
}

}  // namespace
}  // namespace cli
