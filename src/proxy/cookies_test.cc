#include "proxy/cookies.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace proxy {
namespace {

config::Word word(std::string text) { return {.text = std::move(text), .at = {}, .quoted = false}; }

class Cookies : public ::testing::Test {
 protected:
  static void add(config::Setting<std::vector<CookieRule>>& rules, std::string from,
                  std::vector<std::string> to) {
    CookieRule rule{.kind = CookieRule::Kind::replace, .from = word(std::move(from)), .to = {}};
    for (std::string& text : to) rule.to.push_back(word(std::move(text)));
    rules.append(std::move(rule), {});
  }
  std::string rewrite(std::string_view value) {
    const CookiePlan plan = plan_cookies(options_, variables_, diagnostics_);
    return std::string(rewrite_cookie(plan, exchange_, value));
  }

  ForwardOptions options_;
  script::Variables variables_;
  config::Diagnostics diagnostics_;
  exchange::Connection connection_;
  base::Arena arena_;
  exchange::Exchange exchange_{connection_, arena_};
};

TEST_F(Cookies, AreRewrittenPartByPart) {
  add(options_.cookie_domains, "inner.test", {"example.org"});
  add(options_.cookie_paths, "/app", {""});
  add(options_.cookie_flags, "a", {"secure", "samesite=lax"});
  EXPECT_EQ(rewrite("a=b;Domain=.inner.test ;path=/app/x; SameSite"),
            "a=b; Domain=.example.org; path=/x; SameSite=Lax; Secure");
}

TEST_F(Cookies, StayAsTheyCameWhereNoRuleMeetsThem) {
  add(options_.cookie_domains, "inner.test", {"example.org"});
  for (const char* value : {"", ";", "=", "a", "a;domain=inner.test", "a=b;;;", " a = b ; domain",
                            "a=b; domain=inner.test.x", "domain=inner.test"}) {
    EXPECT_EQ(rewrite(value), value);
  }
}

TEST_F(Cookies, DoNotTakeALineBreakFromAVariable) {
  add(options_.cookie_paths, "/", {"$uri"});
  exchange_.uri = "/\r\nSet-Cookie: evil=1";
  EXPECT_EQ(rewrite("a=b; path=/"), "a=b; path=/");
}

TEST_F(Cookies, OfManyPartsStayAsTheyCame) {
  add(options_.cookie_paths, "/x", {"/y"});
  std::string parts = "a=b";
  for (int i = 0; i < 62; ++i) parts += "; x";
  EXPECT_EQ(rewrite(parts + "; path=/x"), parts + "; path=/y");
  EXPECT_EQ(rewrite(parts + "; z; path=/x"), parts + "; z; path=/x");
}

TEST_F(Cookies, OfRandomBytesComeOutAsOneLine) {
  add(options_.cookie_domains, "a", {"b"});
  add(options_.cookie_paths, "/", {"/b/"});
  for (const char* flag : {"a", "b", "=", ""}) {
    add(options_.cookie_flags, flag, {"secure", "nohttponly", "samesite=none"});
  }
  constexpr std::string_view kPieces[] = {";", "=", " ", "domain", "path",     "/",
                                          "a", "b", ".", "secure", "httponly", "SameSite"};
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string value;
    for (std::size_t i = random() % 24; i > 0; --i) value += kPieces[random() % std::size(kPieces)];
    const std::string got = rewrite(value);
    EXPECT_EQ(got.find_first_of("\r\n"), std::string::npos);
    EXPECT_LE(got.size(), value.size() * 4 + 100) << value;
    EXPECT_EQ(rewrite(got), rewrite(got)) << value;
  }
}

}  // namespace
}  // namespace proxy
