#include "filter/add_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "config/testing/loaded.h"

namespace filter {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AddHeader : public ::testing::Test, protected config::testing::Loaded {
 protected:
  AddHeader() : Loaded(kAddHeaderFeature) {}
  void load(const std::string& in_server, const std::string& in_http = {}) {
    interpret("http { " + in_http + " server { " + in_server + " } }");
    provision_add_header(http(), variables_, diagnostics_);
    provision_add_header(server(), variables_, diagnostics_);
    variables_.finish(diagnostics_);
  }

  bool apply(std::uint16_t status = 200) {
    exchange_.response.status = status;
    return apply_add_header(server(), exchange_);
  }
  std::vector<std::string> fields(std::uint16_t status = 200) {
    EXPECT_TRUE(apply(status));
    std::vector<std::string> lines;
    for (const http::Field& field : exchange_.response.fields) {
      lines.push_back(std::string(field.name) + ": " + std::string(field.value));
    }
    return lines;
  }
  void backend_sent(std::string_view name, std::string_view value) {
    ASSERT_TRUE(exchange_.response.fields.add(name, value));
  }

  script::Variables variables_;
  exchange::Connection connection_;
  base::Arena arena_;
  exchange::Exchange exchange_{connection_, arena_};
};

TEST_F(AddHeader, AddsBehindWhatTheBackendSent) {
  load("add_header X-Frame-Options DENY; add_header X-A b;");
  backend_sent("X-Frame-Options", "SAMEORIGIN");
  EXPECT_THAT(fields(),
              ElementsAre("X-Frame-Options: SAMEORIGIN", "X-Frame-Options: DENY", "X-A: b"));
}

TEST_F(AddHeader, AddsToTheStatusesOfSuccessAndRedirection) {
  load("add_header X-A b;");
  constexpr std::uint16_t kUsual[] = {200, 201, 204, 206, 301, 302, 303, 304, 307, 308};
  for (const std::uint16_t status : kUsual) {
    exchange_.response.fields.clear();
    EXPECT_THAT(fields(status), ElementsAre("X-A: b")) << status;
  }
  constexpr std::uint16_t kOthers[] = {101, 202, 203, 205, 300, 305, 400, 404, 494, 500, 502};
  for (const std::uint16_t status : kOthers) {
    exchange_.response.fields.clear();
    EXPECT_THAT(fields(status), IsEmpty()) << status;
  }
}

TEST_F(AddHeader, AddsToEveryStatusWithAlways) {
  load("add_header X-A b always; add_header X-C d;");
  EXPECT_THAT(fields(404), ElementsAre("X-A: b"));
}

TEST_F(AddHeader, EvaluatesVariables) {
  load("add_header X-Host \"<$host>\";");
  exchange_.request.host = "example.com";
  EXPECT_THAT(fields(), ElementsAre("X-Host: <example.com>"));
}

TEST_F(AddHeader, AddsNothingForAnEmptyValue) {
  load("add_header X-A $args; add_header X-B \"\"; add_header Cache-Control $args;");
  backend_sent("Cache-Control", "private");
  EXPECT_THAT(fields(), ElementsAre("Cache-Control: private"));
}

TEST_F(AddHeader, ReplacesLastModifiedAndETagInTheirPlace) {
  load("add_header last-modified \"Tue, 15 Nov 1994 12:45:26 GMT\"; add_header ETag '\"x\"';");
  backend_sent("Last-Modified", "Mon, 14 Nov 1994 12:45:26 GMT");
  backend_sent("X-A", "b");
  EXPECT_THAT(fields(),
              ElementsAre("last-modified: Tue, 15 Nov 1994 12:45:26 GMT", "X-A: b", "ETag: \"x\""));
}

TEST_F(AddHeader, RemovesLastModifiedAndETagByAnEmptyValue) {
  load("add_header Last-Modified \"\"; add_header ETag $args;");
  backend_sent("Last-Modified", "Mon, 14 Nov 1994 12:45:26 GMT");
  backend_sent("ETag", "\"x\"");
  EXPECT_THAT(fields(), IsEmpty());
}

TEST_F(AddHeader, LeavesETagOfAnErrorAlone) {
  load("add_header ETag \"\";");
  backend_sent("ETag", "\"x\"");
  EXPECT_THAT(fields(404), ElementsAre("ETag: \"x\""));
}

TEST_F(AddHeader, AddsFurtherLinesOfCacheControlLinkAndVary) {
  load("add_header Cache-Control no-store; add_header Link </a>; add_header Vary Origin;");
  backend_sent("Cache-Control", "private");
  backend_sent("Vary", "Accept");
  EXPECT_THAT(fields(), ElementsAre("Cache-Control: private", "Vary: Accept",
                                    "Cache-Control: no-store", "Link: </a>", "Vary: Origin"));
}

TEST_F(AddHeader, IsInheritedWhole) {
  load("", "add_header X-A b; add_header X-C d;");
  EXPECT_THAT(fields(), ElementsAre("X-A: b", "X-C: d"));
}

TEST_F(AddHeader, IsReplacedWholeByALevelsOwn) {
  load("add_header X-E f;", "add_header X-A b; add_header X-C d;");
  EXPECT_THAT(fields(), ElementsAre("X-E: f"));
}

TEST_F(AddHeader, SaysWhenTheFieldsDoNotFit) {
  load("add_header X-A b;");
  for (std::size_t i = 0; i < http::Fields::kDefaultMaxCount; ++i) backend_sent("X-B", "c");
  EXPECT_FALSE(apply());
}

TEST_F(AddHeader, SaysWhenAValueIsTooLong) {
  load("add_header X-A $args$args;");
  const std::string args(script::Value::kMaxSize, 'x');
  exchange_.args = args;
  EXPECT_FALSE(apply());
}

TEST_F(AddHeader, IgnoresTheLengthOfTheMessageWithAWarning) {
  load("add_header Content-Length 0;", "add_header X-A b;");
  EXPECT_FALSE(diagnostics_.has_errors());
  EXPECT_THAT(messages(), ElementsAre("\"Content-Length\" is not added by \"add_header\""));
  EXPECT_THAT(fields(), IsEmpty());
}

TEST_F(AddHeader, RefusesNamesThatAreNone) {
  load("add_header X-A: b; add_header \"X A\" b; add_header \"\" b;");
  EXPECT_THAT(messages(), ElementsAre("invalid header name \"X-A:\"", "invalid header name \"X A\"",
                                      "invalid header name \"\""));
  EXPECT_THAT(diagnostics_.list()[0].hint, HasSubstr("without its colon"));
}

TEST_F(AddHeader, RefusesValuesOfSeveralLines) {
  load("add_header Content-Security-Policy \"default-src 'self';\n img-src $host\";");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("has a line break")));
}

TEST_F(AddHeader, MergesBehindItsOwnWhereItIsTold) {
  load("add_header X-A server;", "add_header_inherit merge; add_header X-B http;");
  EXPECT_THAT(fields(), ElementsAre("X-A: server", "X-B: http"));
}

TEST_F(AddHeader, HandsNothingOnWhereItIsTold) {
  load("add_header_inherit off;", "add_header X-B http; add_trailer X-T http;");
  EXPECT_THAT(fields(), IsEmpty());
  EXPECT_TRUE(expects_trailers(server(), 200));
}

TEST_F(AddHeader, TheRuleIsInheritedToo) {
  load("", "add_header_inherit off; add_header X-B http;");
  EXPECT_THAT(fields(), IsEmpty());
}

TEST_F(AddHeader, TrailersAreForSuccessUnlessAlways) {
  load("add_trailer X-A a; add_trailer X-B $arg_none; add_trailer X-C c always;");
  const auto names = [&](std::uint16_t status) {
    exchange_.response.status = status;
    exchange_.response_trailers.clear();
    add_trailers(server(), exchange_, exchange_.response_trailers);
    std::string all;
    for (const http::Field& field : exchange_.response_trailers) all += field.name;
    return all;
  };
  EXPECT_EQ(names(200), "X-AX-C");
  EXPECT_EQ(names(500), "X-C");
  EXPECT_TRUE(expects_trailers(server(), 500));
}

TEST_F(AddHeader, RefusesTrailersThatWouldFrameTheMessage) {
  load("add_trailer Content-Length 0;");
  EXPECT_THAT(messages(), ElementsAre("\"Content-Length\" is not added by \"add_trailer\""));
  EXPECT_FALSE(expects_trailers(server(), 200));
}

TEST_F(AddHeader, TakesNoOtherParameterThanAlways) {
  load("add_header X-A b allways;");
  EXPECT_THAT(messages(), ElementsAre("invalid parameter \"allways\""));
}

}  // namespace
}  // namespace filter
