#include "filter/userid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/testing/loaded.h"

namespace filter {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

constexpr std::string_view kOld = "AAAAAQAAAAIAAAADAAAABA==";

class UserId : public ::testing::Test, protected config::testing::Loaded {
 protected:
  UserId() : Loaded(kUserIdFeature) {}
  void load(const std::string& in_server) {
    interpret("http { server { " + in_server + " } }");
    define_user_id(variables_, diagnostics_);
    provision_user_id(http(), variables_, diagnostics_);
    provision_user_id(server(), variables_, diagnostics_);
    variables_.finish(diagnostics_);
    exchange_.level = &server();
    exchange_.named_captures =
        arena_.make_array<std::optional<std::string_view>>(variables_.slot_count());
  }
  void bring(std::string_view cookie) {
    ASSERT_TRUE(exchange_.request.fields.add("Cookie", arena_.copy(cookie)));
  }
  /// The Set-Cookie; empty: none.
  std::string set() {
    exchange_.response.fields.clear();
    EXPECT_TRUE(apply_user_id(server(), exchange_, note_));
    return std::string(exchange_.response.fields.value(http::FieldName::set_cookie));
  }

  script::Variables variables_;
  exchange::Connection connection_;
  base::Arena arena_;
  exchange::Exchange exchange_{connection_, arena_};
  UserIdNote note_;
};

TEST_F(UserId, IsNotGivenUnasked) {
  load("");
  EXPECT_EQ(set(), "");
}

TEST_F(UserId, IsGivenOnceForAnExchange) {
  load("userid on;");
  const std::string first = set();
  EXPECT_THAT(first, MatchesRegex("uid=[A-Za-z0-9+/]{22}==; path=/"));
  EXPECT_EQ(set(), first);
}

TEST_F(UserId, IsKept) {
  load("userid on;");
  bring("a=b; uid=" + std::string(kOld));
  EXPECT_EQ(set(), "");
  EXPECT_EQ(note_.text, "");
}

TEST_F(UserId, IsSentAgainWithItsMark) {
  load("userid on; userid_mark X;");
  bring("uid=" + std::string(kOld));
  EXPECT_THAT(set(), StartsWith("uid=AAAAAQAAAAIAAAADAAAABAX="));
}

TEST_F(UserId, IsAnotherWhereTheOldOneCannotBeRead) {
  load("userid on;");
  bring("uid=short");
  EXPECT_THAT(set(), StartsWith("uid="));
  EXPECT_EQ(note_.text, "client sent too short userid cookie \"short\"");
}

TEST_F(UserId, HasAttributes) {
  load(
      "userid v1; userid_name id; userid_domain a.test; userid_path /x; userid_expires 1d; "
      "userid_flags secure httponly samesite=lax; userid_p3p text;");
  EXPECT_THAT(set(), HasSubstr("; expires=Fri, 02-Jan-70 00:00:00 GMT; domain=a.test; path=/x; "
                               "secure; httponly; samesite=lax"));
  EXPECT_EQ(exchange_.response.fields.find("P3P")->value, "text");
}

TEST_F(UserId, RefusesWhatIsNoLine) {
  load("userid_path \"a\nb\";");
  EXPECT_THAT(messages(), ::testing::Contains(HasSubstr("userid_path")));
}

}  // namespace
}  // namespace filter
