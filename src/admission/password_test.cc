#include "admission/password.h"

#include <gtest/gtest.h>

#include <string>

namespace admission {
namespace {

// Made by htpasswd, openssl passwd and crypt(3) of the word "secret".
constexpr std::string_view kSecret[] = {
    "{PLAIN}secret",
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0",
    "$apr1$12345678$0lqb/6VUFP8JY/s/jTrIk0",
    "$1$saltsalt$9xy1btjgzLYfb7hivXtC//",
    "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
    "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "$y$j75$saltsalt$0gBD67sgmJgRX3RZ6wHHO7sHimQEWGCWN85o4Twogh2",
    "abNANd1rDfiNc",
};

TEST(Password, KnowsEverySchemeOfNginx) {
  for (const std::string_view stored : kSecret) {
    EXPECT_TRUE(matches_password(stored, "secret")) << stored;
    for (const std::string_view other : {"", "Secret", "secre", "secrets!", "\xff"}) {
      EXPECT_FALSE(matches_password(stored, other)) << stored << " " << other;
    }
  }
}

TEST(Password, ComputesApr1OfPasswordsOfAnyLength) {
  EXPECT_TRUE(matches_password("$apr1$abc$BfqKdn9xFDWJPa3kcp/PH0", ""));
  EXPECT_TRUE(
      matches_password("$apr1$abc$4jakJP6Q6HAj755Vwn2EU/", "a longer password than sixteen bytes"));
}

TEST(Password, TakesAByteOfZeroForNoEnd) {
  for (const std::string_view stored : kSecret) {
    EXPECT_FALSE(matches_password(stored, std::string_view("secret\0more", 11))) << stored;
  }
}

TEST(Password, LetsNobodyInByAMalformedLine) {
  for (const std::string_view stored :
       {"", "*", "!", "x", "secret", "{SHA}", "{SHA}####", "{SSHA}", "{SSHA}c2hvcnQ=", "$apr1$",
        "$apr1$abc", "$apr1$abcdefghi$BfqKdn9xFDWJPa3kcp/PH0", "$2y$99$x", "$6$", "{MD5}x"}) {
    EXPECT_FALSE(matches_password(stored, "secret")) << stored;
    EXPECT_FALSE(matches_password(stored, "")) << stored;
    EXPECT_FALSE(matches_password(stored, stored)) << stored;
  }
}

TEST(Password, TellsQuickSchemesFromSlowOnes) {
  for (const std::string_view stored : kSecret) {
    EXPECT_EQ(is_quick(stored), stored.starts_with('{')) << stored;
  }
}

}  // namespace
}  // namespace admission
