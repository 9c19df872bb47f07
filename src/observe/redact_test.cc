#include "observe/redact.h"

#include <gtest/gtest.h>

namespace observe {
namespace {

TEST(Redaction, KnowsTheFieldsThatCarryCredentials) {
  for (const auto* name : {"Authorization", "PROXY-AUTHORIZATION", "cookie", "Set-Cookie",
                           "set_cookie", "Cookie2", "proxy_authorization"}) {
    EXPECT_TRUE(is_secret_field(name)) << name;
  }
  for (const auto* name : {"", "Cook", "Cookies", "WWW-Authenticate", "Host", "X-Cookie"}) {
    EXPECT_FALSE(is_secret_field(name)) << name;
  }
}

TEST(Redaction, TakesTheValuesOutOfHeaderLines) {
  EXPECT_EQ(redact_field_lines("Host: a\r\nAuthorization: Basic eA==\r\nX: 1"),
            "Host: a\r\nAuthorization: [redacted]\r\nX: 1");
  EXPECT_EQ(redact_field_lines("set-COOKIE:a=b; Secure"), "set-COOKIE: [redacted]");
  EXPECT_EQ(redact_field_lines("Cookie : a=b\nCookie: c"),
            "Cookie : [redacted]\nCookie: [redacted]");
  EXPECT_EQ(redact_field_lines("{\"cookie\": \"a=b\"}"), "{\"cookie\": [redacted]");
}

TEST(Redaction, LeavesOtherTextAlone) {
  for (const auto* text : {"", ":", "a: b", "no cookie here", "http://a.test:80/", "the cookie"}) {
    EXPECT_EQ(redact_field_lines(text), text);
  }
}

}  // namespace
}  // namespace observe
