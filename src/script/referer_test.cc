#include "script/referer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/testing/loaded.h"
#include "exchange/exchange.h"

namespace script {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RefererTest : public ::testing::Test, protected config::testing::Loaded {
 protected:
  RefererTest() : Loaded(kRefererFeature) {}

  /// Of one location in a server with these names.
  void load(const std::string& words, std::vector<std::string> names = {"example.com"}) {
    interpret("http { server { " + words + " location / { } } }");
    for (const std::string& name : names) server_names.push_back({name, {}, false});
    const ServerNames of = [this](const config::Level&) {
      return std::span<const config::Word>(server_names);
    };
    provision_referers(server(), of, diagnostics_);
    provision_referers(*server().children()[0], of, diagnostics_);
  }
  /// "ok", "invalid" or "failed".
  std::string check(std::optional<std::string_view> referer) {
    exchange::Exchange exchange(connection, arena);
    if (referer) {
      EXPECT_TRUE(exchange.request.fields.add("Referer", *referer));
    }
    exchange.level = server().children()[0].get();
    Subject subject(exchange);
    const auto value = InvalidReferer().compute(subject);
    if (!value) return "failed";
    return *value == "1" ? "invalid" : value->empty() ? "ok" : "?";
  }

  std::vector<config::Word> server_names;
  base::Arena arena;
  exchange::Connection connection;
};

TEST_F(RefererTest, WithoutTheDirectiveAllAreValid) {
  load("");
  EXPECT_EQ(check(std::nullopt), "ok");
  EXPECT_EQ(check("http://anywhere.test/"), "ok");
}

TEST_F(RefererTest, NamesHostsAndWildcards) {
  load("valid_referers www.a.test *.b.test c.*; valid_referers .d.test;");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(check("http://www.a.test/x"), "ok");
  EXPECT_EQ(check("HTTPS://WWW.A.TEST"), "ok");
  EXPECT_EQ(check("http://www.a.test:8080/x"), "ok");
  EXPECT_EQ(check("http://x.b.test/"), "ok");
  EXPECT_EQ(check("http://c.anything/"), "ok");
  EXPECT_EQ(check("http://d.test/"), "ok");
  EXPECT_EQ(check("http://b.test/"), "invalid");
  EXPECT_EQ(check("http://a.test/www.a.test"), "invalid");
  EXPECT_EQ(check(std::nullopt), "invalid");
  EXPECT_EQ(check("www.a.test"), "invalid");
}

TEST_F(RefererTest, PathsAreBeginnings) {
  load("valid_referers a.test/in;");
  EXPECT_EQ(check("http://a.test/in"), "ok");
  EXPECT_EQ(check("http://a.test:80/inside"), "ok");
  EXPECT_EQ(check("http://a.test/IN"), "invalid");
  EXPECT_EQ(check("http://a.test/"), "invalid");
  EXPECT_EQ(check("http://a.test"), "invalid");
}

TEST_F(RefererTest, NoneAndBlocked) {
  load("valid_referers none blocked a.test;");
  EXPECT_EQ(check(std::nullopt), "ok");
  EXPECT_EQ(check("-"), "ok");
  EXPECT_EQ(check("http://"), "ok");
  EXPECT_EQ(check("ftp://b.test/xxx"), "ok");
  EXPECT_EQ(check("http://b.test/"), "invalid");
}

TEST_F(RefererTest, TakesTheServersNames) {
  load("valid_referers server_names;", {"example.com", "*.example.org", "~^re\\d"});
  EXPECT_EQ(check("http://example.com/"), "ok");
  EXPECT_EQ(check("http://www.example.org/"), "ok");
  EXPECT_EQ(check("http://RE5.test/"), "ok");
  EXPECT_EQ(check("http://a.test/re5"), "invalid");
}

TEST_F(RefererTest, RegularExpressionsSeeAllBehindTheScheme) {
  load("valid_referers ~\\.google\\. ~/path$;");
  EXPECT_EQ(check("http://www.GOOGLE.test/x"), "ok");
  EXPECT_EQ(check("https://a.test/path"), "ok");
  EXPECT_EQ(check("https://a.test/paths"), "invalid");
}

TEST_F(RefererTest, NoVerdictIsAFailure) {
  load("valid_referers ~^(a+)+$;");
  EXPECT_EQ(check("http://" + std::string(40, 'a') + "!"), "failed");
}

TEST_F(RefererTest, AHostHasItsBounds) {
  load("valid_referers ~. *.test;");
  EXPECT_EQ(check("http://" + std::string(251, 'a') + ".test/"), "ok");
  EXPECT_EQ(check("http://" + std::string(252, 'a') + ".test/"), "invalid");
}

TEST_F(RefererTest, ReportsMistakesInNginxsWords) {
  load("valid_referers none ~ '' a.*.b c.test c.test ~( ;");
  EXPECT_THAT(messages(),
              ElementsAre(HasSubstr("empty regex in \"~\""), HasSubstr("invalid referer \"\""),
                          HasSubstr("invalid hostname or wildcard \"a.*.b\""),
                          HasSubstr("conflicting parameter \"c.test\""),
                          HasSubstr("pcre2_compile() failed")));
}

TEST_F(RefererTest, NoneAloneIsAMistake) {
  load("valid_referers none blocked;");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("without any valid referer")));
}

}  // namespace
}  // namespace script
