#include "explain/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace explain {
namespace {

using ::testing::HasSubstr;

TEST(ParseRequest, TakesAMethodAndAUrl) {
  const auto request = parse_request("POST https://a.test:8443/x/y?z=1#part");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->method, "POST");
  EXPECT_TRUE(request->https);
  EXPECT_EQ(request->authority, "a.test:8443");
  EXPECT_EQ(request->target, "/x/y?z=1");
}

TEST(ParseRequest, FillsInWhatIsLeftOut) {
  const auto request = parse_request("http://a.test");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->method, "GET");
  EXPECT_FALSE(request->https);
  EXPECT_EQ(request->target, "/");
  EXPECT_EQ(parse_request("http://a.test?q")->target, "/?q");
}

TEST(ParseRequest, KeepsAPathAsItIs) {
  EXPECT_EQ(parse_request("http://a/%2e%2e/%00")->target, "/%2e%2e/%00");
}

TEST(ParseRequest, SaysWhatIsWrong) {
  EXPECT_THAT(parse_request("GET /path").error(), HasSubstr("'GET https://host/path'"));
  EXPECT_THAT(parse_request("ftp://a/").error(), HasSubstr("'GET https://host/path'"));
  EXPECT_THAT(parse_request("https://").error(), HasSubstr("no host"));
  EXPECT_THAT(parse_request("GET http://a/\r\nX: y").error(), HasSubstr("one line"));
}

TEST(IsHeader, WantsANameAndOneLine) {
  EXPECT_TRUE(is_header("X-Name: value"));
  EXPECT_TRUE(is_header("X:"));
  EXPECT_FALSE(is_header(": value"));
  EXPECT_FALSE(is_header("no colon"));
  EXPECT_FALSE(is_header("A: b\r\nC: d"));
}

}  // namespace
}  // namespace explain
