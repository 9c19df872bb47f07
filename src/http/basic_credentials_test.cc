#include "http/basic_credentials.h"

#include <gtest/gtest.h>

#include <string>

namespace http {
namespace {

std::string parse(std::string_view value) {
  base::Arena arena;
  const auto credentials = parse_basic_credentials(value, arena);
  if (!credentials) return "nothing";
  return std::string(credentials->user) + " and " + std::string(credentials->password);
}

TEST(BasicCredentials, AreAUserAndAPassword) {
  EXPECT_EQ(parse("Basic dXNlcjpzZWNyZXQ="), "user and secret");
  EXPECT_EQ(parse("basic   dXNlcjpzZWNyZXQ"), "user and secret");
  EXPECT_EQ(parse("Basic dXNlcjphOmI="), "user and a:b");
  EXPECT_EQ(parse("Basic dXNlcjo="), "user and ");
}

TEST(BasicCredentials, AreNothingElse) {
  for (const std::string_view value :
       {"", "Basic", "Basic ", "Basic dXNlcg==", "Basic OnNlY3JldA==", "Basic dXNl*jpz",
        "Basic dXNlc", "Bearer dXNlcjpzZWNyZXQ=", "Digest username=\"x\""}) {
    EXPECT_EQ(parse(value), "nothing") << value;
  }
}

}  // namespace
}  // namespace http
