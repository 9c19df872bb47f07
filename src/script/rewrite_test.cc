// The rewrite directives: what is refused, and what a program does to a request.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <string>
#include <vector>

#include "config/testing/loaded.h"
#include "script/program.h"
#include "script/rewrite_directives.h"

namespace script {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FakeHost final : public Host {
 public:
  bool test_file(FileTest test, std::string_view path) override {
    return test == FileTest::exists && path == "/there";
  }
  void enter(const config::Level& level) override { entered.push_back(&level); }
  void trace(std::string_view text) override { said.emplace_back(text); }
  void warn(std::string_view text) override { said.emplace_back(text); }
  void fail(std::string_view text) override { said.emplace_back(text); }

  std::vector<const config::Level*> entered;
  std::vector<std::string> said;
};

class RewriteDirectives : public ::testing::Test, protected config::testing::Loaded {
 protected:
  RewriteDirectives() : Loaded(kRewriteFeature) {}

  /// The program of a location that says `directives`; null if it has none.
  const Program* load(const std::string& directives) {
    interpret("http { server { location / { " + directives + " } } }");
    config::Level& level = *server().children()[0];
    provision_program(level, variables_, diagnostics_);
    variables_.finish(diagnostics_);
    return level.find<Program>();
  }

  /// What it does to a request for `raw` (path and query, the path canonical when decoded): "next",
  /// "relocate", "failed", "404", "200 text", "302 -> URL"; then path and query as they stand.
  std::string run(const std::string& directives, const std::string& path = "/",
                  const std::string& args = {}, const std::string& raw = {}) {
    const Program* program = load(directives);
    EXPECT_THAT(messages(), IsEmpty());
    exchange_.uri = exchange_.arena.copy(path);
    exchange_.request.raw_path = exchange_.arena.copy(raw.empty() ? path : raw);
    exchange_.args = exchange_.request.query = exchange_.arena.copy(args);
    slots_.resize(variables_.slot_count());
    exchange_.named_captures = slots_;
    Subject subject(exchange_);
    if (program == nullptr) return "none";
    const Outcome outcome = program->run(subject, host_);
    return fmt::format("{} {}{}{}", text_of(outcome), exchange_.uri,
                       exchange_.args.empty() ? "" : "?", exchange_.args);
  }

  std::string text_of(const Outcome& outcome) {
    switch (outcome.kind) {
      case Outcome::Kind::next: return "next";
      case Outcome::Kind::relocate: return "relocate";
      case Outcome::Kind::failed: return "failed";
      case Outcome::Kind::redirect:
        return fmt::format("{} -> {}", outcome.status, outcome.location);
      case Outcome::Kind::answer: break;
    }
    const Return& said = *outcome.returned;
    return fmt::format("{}{}{}", said.status,
                       said.is_redirect ? " -> "
                       : said.has_text  ? " "
                                        : "",
                       said.text.evaluate(exchange_));
  }

  Variables variables_;
  exchange::Connection connection_;
  base::Arena arena_;
  exchange::Exchange exchange_{connection_, arena_};
  std::vector<std::optional<std::string_view>> slots_;
  FakeHost host_;
};

// --- return

TEST_F(RewriteDirectives, AreNotThereUnlessWritten) { EXPECT_EQ(load(""), nullptr); }

TEST_F(RewriteDirectives, ReturnTakesACodeAlone) { EXPECT_EQ(run("return 404;"), "404 /"); }

TEST_F(RewriteDirectives, ReturnTakesATextWithVariables) {
  exchange_.request.host = "example.com";
  EXPECT_EQ(run("return 200 \"hello $host\";"), "200 hello example.com /");
}

class ReturnRedirect : public RewriteDirectives, public ::testing::WithParamInterface<unsigned> {};

TEST_P(ReturnRedirect, TakesAURL) {
  EXPECT_EQ(run(fmt::format("return {} /new;", GetParam())),
            fmt::format("{} -> /new /", GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Codes, ReturnRedirect, ::testing::Values(301, 302, 303, 307, 308));

TEST_F(RewriteDirectives, ReturnTakesTheTextOfOtherCodesAsABody) {
  EXPECT_EQ(run("return 304 /new;"), "304 /new /");
}

TEST_F(RewriteDirectives, ReturnTakesALoneURLForA302) {
  EXPECT_EQ(run("return https://example.com$uri;"), "302 -> https://example.com/ /");
}

TEST_F(RewriteDirectives, ReturnShowsTheErrorsPageWhenTheTextIsEmpty) {
  EXPECT_EQ(run("return 403 \"\";"), "403 /");
}

TEST_F(RewriteDirectives, ReturnSendsNothingWhenTheTextOfASuccessIsEmpty) {
  EXPECT_EQ(run("return 200 \"\";"), "200  /");
}

TEST_F(RewriteDirectives, ReturnObeysTheFirstOne) {
  EXPECT_EQ(run("return 403; return 404;"), "403 /");
}

TEST_F(RewriteDirectives, ReturnRefusesCodesThatAreNone) {
  load(
      "return 1000; return /path; return 99x; return -1; return ftp://a; return http://a b; "
      "return 99999999999999999999; return 100; return 0; return 199 text;");
  EXPECT_THAT(
      messages(),
      ElementsAre("invalid return code \"1000\"", "invalid return code \"/path\"",
                  "invalid return code \"99x\"", "invalid return code \"-1\"",
                  "invalid return code \"ftp://a\"", "invalid return code \"http://a\"",
                  "invalid return code \"99999999999999999999\"", "invalid return code \"100\"",
                  "invalid return code \"0\"", "invalid return code \"199\""));
}

TEST_F(RewriteDirectives, RefuseURLsOfSeveralLines) {
  load("return 302 \"https://a/\n$uri\"; rewrite ^ \"https://a/\n$uri\";");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("the URL of \"return\" has a control character"),
                                      HasSubstr("the URL of \"rewrite\" has a control character")));
}

TEST_F(RewriteDirectives, RefuseUnknownVariables) {
  load("return 200 $nonsense;");
  EXPECT_THAT(messages(), ElementsAre("unknown \"nonsense\" variable"));
}

// --- rewrite

TEST_F(RewriteDirectives, RewriteGoesOnUntilAFlagEndsIt) {
  EXPECT_EQ(run("rewrite ^/a /b; rewrite ^/b /c;", "/a"), "relocate /c");
}

TEST_F(RewriteDirectives, RewriteLastEndsTheProgram) {
  EXPECT_EQ(run("rewrite ^/a /b last; rewrite ^/b /c;", "/a"), "relocate /b");
}

TEST_F(RewriteDirectives, RewriteBreakKeepsTheLocation) {
  EXPECT_EQ(run("rewrite ^/a /b break; rewrite ^/b /c;", "/a"), "next /b");
  EXPECT_FALSE(exchange_.path_is_routed);
  EXPECT_TRUE(exchange_.internal);
}

TEST_F(RewriteDirectives, BreakAfterARewriteKeepsTheLocation) {
  EXPECT_EQ(run("rewrite ^/a /b; break; return 500;", "/a"), "next /b");
  EXPECT_FALSE(exchange_.path_is_routed);
}

TEST_F(RewriteDirectives, BreakAloneChangesNothing) {
  EXPECT_EQ(run("break; return 500;", "/a"), "next /a");
  EXPECT_TRUE(exchange_.path_is_routed);
}

TEST_F(RewriteDirectives, RewriteKeepsArgumentsBehindItsOwn) {
  EXPECT_EQ(run("rewrite ^/(.*)$ /x?p=$1 last;", "/a", "q=1"), "relocate /x?p=a&q=1");
}

TEST_F(RewriteDirectives, RewriteDropsArgumentsWithAQuestionMarkAtItsEnd) {
  EXPECT_EQ(run("rewrite ^ /x? last;", "/a", "q=1"), "relocate /x");
}

TEST_F(RewriteDirectives, RewriteEscapesCapturesInArgumentsOfEscapedPaths) {
  EXPECT_EQ(run("rewrite ^/(.*)$ /y/$1?p=$1 last;", "/a&b", "", "/a%26b"),
            "relocate /y/a&b?p=a%26b");
}

TEST_F(RewriteDirectives, RewriteRedirectsToURLs) {
  EXPECT_EQ(run("rewrite ^/(.*)$ http://x/$1 last;", "/a", "q=1"), "302 -> http://x/a?q=1 /a?q=1");
}

TEST_F(RewriteDirectives, RewriteRedirectsPermanently) {
  EXPECT_EQ(run("rewrite ^/(.*)$ /n/$1?x permanent;", "/a"), "301 -> /n/a?x /a");
}

TEST_F(RewriteDirectives, RewriteUndoesNeedlessEscapesInRedirects) {
  EXPECT_EQ(run("rewrite ^/(.*)$ /%41%20%zz/$1?%41 redirect;", "/a"), "302 -> /A%20zz/a?%41 /a");
}

TEST_F(RewriteDirectives, RewriteRefusesAnEmptyPath) {
  EXPECT_EQ(run("rewrite ^/(.*)$ $1 last;", "/"), "failed /");
  EXPECT_THAT(host_.said, ElementsAre("the rewritten URI has a zero length"));
}

TEST_F(RewriteDirectives, RegularExpressionsThatMissClearTheCaptures) {
  EXPECT_EQ(
      run("rewrite ^/(a)$ /$1/x; rewrite ^/(none) /y; set $got \"[$1]\"; return 200 $got;", "/a"),
      "200 [] /a/x");
}

TEST_F(RewriteDirectives, EndlessRegularExpressionsAreAnError) {
  EXPECT_EQ(
      run("if ($args ~ \"^(a+)+$\") { return 200; }", "/", std::string(60, 'a') + "b").substr(0, 6),
      "failed");
  EXPECT_EQ(exchange_.failure.kind, exchange::EvaluationFailure::Kind::regex_steps);
  EXPECT_THAT(std::string(exchange_.failure.what), HasSubstr("reached its step limit"));
}

// --- set

TEST_F(RewriteDirectives, SetGivesValuesInTheOrderOfTheFile) {
  EXPECT_EQ(run("set $a 1; set $b $a$a; set $a 2; return 200 $a$b;"), "200 211 /");
}

TEST_F(RewriteDirectives, SetChangesTheArguments) {
  EXPECT_EQ(run("set $args \"x=1&$args\"; return 200 $query_string;", "/", "y=2"),
            "200 x=1&y=2 /?x=1&y=2");
  EXPECT_TRUE(exchange_.uri_changed);
}

TEST_F(RewriteDirectives, SetChangesTheRate) {
  EXPECT_EQ(run("set $limit_rate 2k;"), "next /");
  EXPECT_EQ(exchange_.limit_rate, 2048U);
}

TEST_F(RewriteDirectives, SetTellsOfARateThatIsNone) {
  EXPECT_EQ(run("set $limit_rate fast;"), "next /");
  EXPECT_EQ(exchange_.limit_rate, std::nullopt);
  EXPECT_THAT(host_.said, ElementsAre("invalid $limit_rate \"fast\""));
}

TEST_F(RewriteDirectives, SetLeavesOtherVariablesOfTheProgramAlone) {
  load("set $host a; set name b;");
  EXPECT_THAT(messages(),
              ElementsAre("invalid variable name \"name\"", "the duplicate \"host\" variable"));
}

TEST_F(RewriteDirectives, WhatWasNeverSetIsEmptyAndSaidSo) {
  EXPECT_EQ(run("if ($arg_x) { set $a 1; } return 200 [$a];"), "200 [] /");
  EXPECT_THAT(host_.said, ElementsAre("using uninitialized \"a\" variable"));
}

TEST_F(RewriteDirectives, WhatWasNeverSetIsNotSaidWhereNobodyWantsToKnow) {
  EXPECT_EQ(run("uninitialized_variable_warn off; if ($arg_x) { set $a 1; } return 200 [$a];"),
            "200 [] /");
  EXPECT_THAT(host_.said, IsEmpty());
}

// --- if

struct Case {
  const char* condition;
  bool holds;
};

class If_ : public RewriteDirectives, public ::testing::WithParamInterface<Case> {};

TEST_P(If_, HoldsOrNot) {
  const std::string condition = GetParam().condition;
  EXPECT_EQ(run("if " + condition + " { return 200 yes; } return 200 no;", "/Path", "a=b"),
            GetParam().holds ? "200 yes /Path?a=b" : "200 no /Path?a=b");
}

INSTANTIATE_TEST_SUITE_P(
    Conditions, If_,
    ::testing::Values(Case{"($args)", true}, Case{"($arg_none)", false}, Case{"($arg_a = b)", true},
                      Case{"( $arg_a = b )", true}, Case{"($arg_a = \"b\")", true},
                      Case{"($arg_a != b)", false}, Case{"($arg_a = c)", false},
                      Case{"($arg_a = $arg_a)", true}, Case{"($uri ~ ^/path)", false},
                      Case{"($uri ~* ^/path)", true}, Case{"($uri !~ ^/path)", true},
                      Case{"($uri !~* ^/path)", false},
                      Case{"($uri ~ \"^/P a?th|x{1}|^/P\")", true},
                      Case{"($arg_none = \"\")", true}, Case{"(-e /there)", true},
                      Case{"(!-e /there)", false}, Case{"(-f /there)", false},
                      Case{"(!-d /there)", true}));

TEST_F(RewriteDirectives, IfBringsTheSettingsOfItsBlock) {
  EXPECT_EQ(run("if ($arg_a) { set $x 1; } if ($arg_b) { set $x 2; } return 200 $x;", "/", "a=1"),
            "200 1 /?a=1");
  EXPECT_THAT(host_.entered, ElementsAre(server().children()[0]->children()[0].get()));
}

TEST_F(RewriteDirectives, BreakInAnIfEndsTheProgramAroundIt) {
  EXPECT_EQ(run("if ($arg_a) { break; } return 200;", "/", "a=1"), "next /?a=1");
}

TEST_F(RewriteDirectives, CapturesOfAnIfReachTheRest) {
  EXPECT_EQ(
      run("if ($uri ~ ^/(?<first>[^/]+)/(.*)$) { set $rest $2; } return 200 $first:$rest;", "/a/b"),
      "200 a:b /a/b");
}

TEST_F(RewriteDirectives, MalformedConditionsAreRefused) {
  load("if $a { } if ($args x y) { } if ($args = b c) { } if (x = y) { } if (-q /x) { } if () { }");
  EXPECT_THAT(messages(), ::testing::Each("invalid condition"));
  EXPECT_EQ(messages().size(), 6U);
}

TEST_F(RewriteDirectives, StepsAreToldWhereSomebodyWantsToKnow) {
  EXPECT_EQ(run("rewrite_log on; rewrite ^/x /y; rewrite ^/a(.) /b$1?c last;", "/ab"),
            "relocate /bb?c");
  EXPECT_THAT(host_.said,
              ElementsAre("\"^/x\" does not match \"/ab\"", "\"^/a(.)\" matches \"/ab\"",
                          "rewritten data: \"/bb\", args: \"c\""));
}

}  // namespace
}  // namespace script
