#include "accesslog/format.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace accesslog {
namespace {

using namespace std::chrono_literals;

std::string escaped(Escape escape, std::string_view text) {
  std::string out;
  append_escaped(escape, text, out);
  return out;
}

TEST(LogEscapes, OfTextAreNginxs) {
  using namespace std::string_literals;
  EXPECT_EQ(escaped(Escape::text, "plain ~!'"), "plain ~!'");
  EXPECT_EQ(escaped(Escape::text, "a\"b\\c"), "a\\x22b\\x5Cc");
  EXPECT_EQ(escaped(Escape::text, "\x1f\n\t\0"s), "\\x1F\\x0A\\x09\\x00");
  EXPECT_EQ(escaped(Escape::text, "\x7f\x80\xc3\xa9\xff"), "\\x7F\\x80\\xC3\\xA9\\xFF");
}

TEST(LogEscapes, OfJsonAreNginxs) {
  using namespace std::string_literals;
  EXPECT_EQ(escaped(Escape::json, "a\"b\\c/"), "a\\\"b\\\\c/");
  EXPECT_EQ(escaped(Escape::json, "\n\r\t\b\f"), "\\n\\r\\t\\b\\f");
  EXPECT_EQ(escaped(Escape::json, "\x1f\0\x0b"s), "\\u001F\\u0000\\u000B");
  EXPECT_EQ(escaped(Escape::json, "\x7f\xc3\xa9"), "\x7f\xc3\xa9");
}

TEST(LogEscapes, OfNoneLeaveEverything) { EXPECT_EQ(escaped(Escape::none, "\"\n\\"), "\"\n\\"); }

class FormatTest : public testing::Test {
 protected:
  FormatTest() {
    setenv("TZ", "UTC", 1);
    tzset();
    client.peer = *base::Address::from_ip("192.0.2.10", 40000);
    client.local = *base::Address::from_ip("198.51.100.1", 80);
    ex.emplace(client, arena);
    ex->request.method_text = "GET";
    ex->request.target = "/a?\"x\"";
    ex->args = "\"x\"";
    ex->response.status = 200;
    ex->body_bytes_sent = 612;
    ex->now_wall = base::WallTime(1795426468s);
  }
  std::string line(const FormatSpec& spec) {
    const Format format = Format::compile(spec, variables, diagnostics);
    variables.finish(diagnostics);
    script::Subject subject(*ex);
    std::string out;
    format.append_line(subject, out);
    return out;
  }
  static FormatSpec spec(Escape escape, std::vector<std::string> texts) {
    FormatSpec made{.name = {"test", {0, 1, 1}, false}, .escape = escape};
    for (std::string& text : texts) made.texts.push_back({std::move(text), {0, 1, 1}, true});
    return made;
  }

  base::Arena arena;
  exchange::Connection client;
  std::optional<exchange::Exchange> ex;
  script::Variables variables;
  config::Diagnostics diagnostics;
};

TEST_F(FormatTest, CombinedIsNginxs) {
  EXPECT_EQ(line(combined_format()),
            "192.0.2.10 - - [23/Nov/2026:09:34:28 +0000] \"GET /a?\\x22x\\x22 HTTP/1.1\" 200 612 "
            "\"-\" \"-\"\n");
  ASSERT_TRUE(ex->request.fields.add("Referer", "http://b.test/"));
  ASSERT_TRUE(ex->request.fields.add("User-Agent", ""));
  EXPECT_EQ(line(combined_format()),
            "192.0.2.10 - - [23/Nov/2026:09:34:28 +0000] \"GET /a?\\x22x\\x22 HTTP/1.1\" 200 612 "
            "\"http://b.test/\" \"\"\n");
  EXPECT_EQ(diagnostics.warning_count(), 0U);
}

TEST_F(FormatTest, JoinsItsTextsWithoutSpaces) {
  EXPECT_EQ(line(spec(Escape::text, {"a\"", "$status", " b"})), "a\"200 b\n");
}

TEST_F(FormatTest, WritesJsonWithEmptyValues) {
  EXPECT_EQ(line(spec(Escape::json, {R"({"args":"$args","referer":"$http_referer"})"})),
            R"({"args":"\"x\"","referer":""})"
            "\n");
}

TEST_F(FormatTest, WritesNothingEscaped) {
  EXPECT_EQ(line(spec(Escape::none, {"$args|$http_referer|"})), "\"x\"||\n");
}

TEST_F(FormatTest, NeverWritesCredentials) {
  constexpr std::string_view kToken = "t0ken";
  for (const auto* name : {"Authorization", "Proxy-Authorization", "Cookie"}) {
    ASSERT_TRUE(ex->request.fields.add(name, "a=t0ken"));
  }
  ASSERT_TRUE(ex->response.fields.add("Set-Cookie", "a=t0ken"));
  ASSERT_TRUE(ex->upstream_response.fields.add("Set-Cookie", "a=t0ken"));
  const std::string out =
      line(spec(Escape::text,
                {"$http_authorization $http_proxy_authorization $http_cookie $cookie_a $cookie_b ",
                 "$sent_http_set_cookie $upstream_http_set_cookie $upstream_cookie_a"}));
  EXPECT_EQ(out.find(kToken), std::string::npos) << out;
  EXPECT_EQ(out,
            "[redacted] [redacted] [redacted] [redacted] - [redacted] [redacted] [redacted]\n");
}

TEST_F(FormatTest, DoesNotTakeAnUncheckedNameForAUser) {
  ASSERT_TRUE(ex->request.fields.add("Authorization", "Basic dDBrZW46"));  // t0ken:
  EXPECT_EQ(line(spec(Escape::text, {"$remote_user"})), "[redacted]\n");
}

TEST_F(FormatTest, WarnsOfCredentialsByName) {
  diagnostics.add_source("test.conf", "log_format test ...;");
  static_cast<void>(line(spec(Escape::text, {"$status $http_Cookie $cookie_a $http_cookie"})));
  const auto list = diagnostics.list();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].severity, config::Severity::warning);
  EXPECT_EQ(list[0].message,
            "log format \"test\" writes credentials as \"[redacted]\": $http_cookie, $cookie_a");
}

TEST_F(FormatTest, CutsEndlessLines) {
  const std::string huge(Format::kMaxLine, 'x');
  ex->args = huge;
  const std::string out = line(spec(Escape::text, {"$args$args"}));
  EXPECT_EQ(out.size(), Format::kMaxLine);
  EXPECT_TRUE(out.ends_with('\n'));
}

}  // namespace
}  // namespace accesslog
