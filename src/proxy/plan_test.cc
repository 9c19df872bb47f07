#include "proxy/plan.h"

#include <gtest/gtest.h>

namespace proxy {
namespace {

bool has(const NameSet& set, std::string_view name) { return set.has(http::intern(name), name); }

TEST(NameSet, FindsNamesInAnyLetterCaseAndSpelling) {
  NameSet set;
  set.add("X-Real-IP");
  set.add("X-Custom-Name");
  for (const char* name :
       {"X-Real-IP", "x-real-ip", "X_Real_IP", "x.real-ip", "X-Custom-Name", "x_custom.NAME"}) {
    EXPECT_TRUE(has(set, name)) << name;
  }
  for (const char* name : {"X-Real", "X-Real-IPs", "X-Forwarded-For", "X-Custom", ""}) {
    EXPECT_FALSE(has(set, name)) << name;
  }
}

TEST(NameSet, ForgetsWhatIsRemovedInAnySpelling) {
  NameSet set;
  set.add("Server");
  set.add("X-Own");
  set.remove("server");
  set.remove("x_own");
  set.remove("never-added");
  EXPECT_FALSE(has(set, "Server"));
  EXPECT_FALSE(has(set, "X-Own"));
}

struct TargetCase {
  const char* url;
  bool https;
  const char* authority;
  const char* uri;  // null: none
};

TEST(PassTarget, IsSchemeAuthorityAndPerhapsAUri) {
  for (const TargetCase& each :
       {TargetCase{"http://a", false, "a", nullptr},
        TargetCase{"HTTPS://a:8443", true, "a:8443", nullptr},
        TargetCase{"http://a/", false, "a", "/"}, TargetCase{"http://a/b?c", false, "a", "/b?c"},
        TargetCase{"http://a?c", false, "a", "/?c"},
        TargetCase{"http://[::1]:80/x", false, "[::1]:80", "/x"},
        TargetCase{"http://unix:/run/a.sock", false, "unix:/run/a.sock", nullptr},
        TargetCase{"http://unix:/run/a.sock:/x", false, "unix:/run/a.sock", "/x"},
        TargetCase{"http://unix:/run/a.sock:", false, "unix:/run/a.sock", nullptr}}) {
    const auto target = parse_pass_target(each.url);
    ASSERT_TRUE(target) << each.url;
    EXPECT_EQ(target->https, each.https) << each.url;
    EXPECT_EQ(target->authority, each.authority) << each.url;
    EXPECT_EQ(target->uri.has_value(), each.uri != nullptr) << each.url;
    if (target->uri && each.uri != nullptr) EXPECT_EQ(*target->uri, each.uri);
  }
}

TEST(PassTarget, RefusesWhatHasNoSchemeOrNoHost) {
  for (const char* url : {"", "a", "ftp://a", "//a", "http:/a"}) {
    EXPECT_EQ(parse_pass_target(url).error(), "invalid URL prefix") << url;
  }
  for (const char* url : {"http://", "https:///x", "http://?x"}) {
    EXPECT_EQ(parse_pass_target(url).error(), "no host") << url;
  }
}

}  // namespace
}  // namespace proxy
