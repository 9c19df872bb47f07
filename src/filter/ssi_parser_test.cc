#include "filter/ssi_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace filter {
namespace {

// What comes of a body that arrives in pieces of `size` bytes: its text, commands as [name k=v
// ...], errors as {why}.
std::string parsed(std::string_view body, std::size_t size, std::size_t max_value = 256) {
  SsiParser parser(max_value);
  std::string all;
  while (!body.empty()) {
    std::string_view piece = body.substr(0, size);
    body.remove_prefix(piece.size());
    while (true) {
      const SsiParser::Step step = parser.next(piece);
      if (step.kind == SsiParser::Step::Kind::more) break;
      if (step.kind == SsiParser::Step::Kind::text) all += step.text;
      if (step.kind == SsiParser::Step::Kind::error) all += "{" + std::string(step.text) + "}";
      if (step.kind != SsiParser::Step::Kind::command) continue;
      all += "[" + parser.command().name;
      for (const auto& parameter : parser.command().parameters) {
        all += " " + parameter.name + "=" + parameter.value;
      }
      all += "]";
    }
  }
  return all + std::string(parser.finish());
}

struct Case {
  std::string_view body;
  std::string_view shown;
};

class SsiParserTest : public ::testing::TestWithParam<Case> {};

TEST_P(SsiParserTest, GivesTheSameInPiecesOfEverySize) {
  for (std::size_t size = 1; size <= GetParam().body.size() + 1; ++size) {
    EXPECT_EQ(parsed(GetParam().body, size), GetParam().shown) << "pieces of " << size;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, SsiParserTest,
    ::testing::Values(
        Case{"", ""}, Case{"text", "text"}, Case{"a<!--#echo var=\"x\" -->b", "a[echo var=x]b"},
        Case{"<!--# set var = 'x' value=\"1 2\" -->", "[set var=x value=1 2]"},
        Case{"<!--#endif-->", "[endif]"}, Case{"<<!--#endif--><", "<[endif]<"},
        Case{"<!-<!--<!--#endif-->", "<!-<!--[endif]"}, Case{"a<!-- b --><!--", "a<!-- b --><!--"},
        Case{"<!--#echo var=\"a\\\"b\" -->", "[echo var=a\\\"b]"}, Case{"<!--#echo var='a", ""},
        Case{"<!--#e-->", "[e]"}, Case{"x<!--#", "x"},
        Case{
            "<!--#echo var=x -->b",
            "{unexpected \"x\" symbol before value of \"var\" parameter in \"echo\" SSI command}b"},
        Case{"<!--#echo var -->b",
             "{unexpected \"-\" symbol behind \"var\" parameter in \"echo\" SSI command}b"},
        Case{"<!--#echo -x -->b", "{unexpected \"x\" symbol in \"echo\" SSI command}b"}));

TEST(SsiParserBounds, AValueMayBeAsLongAsSsiValueLength) {
  EXPECT_EQ(parsed("<!--#a b='12345' -->", 1, 5), "[a b=12345]");
  EXPECT_EQ(parsed("<!--#a b='123456' -->c", 1, 5),
            "{too long value of \"b\" parameter in \"a\" SSI command (ssi_value_length)}c");
}

TEST(SsiParserBounds, NamesAndParametersAreFew) {
  const std::string name(SsiParser::kMaxName, 'n');
  EXPECT_EQ(parsed("<!--#" + name + " -->", 7), "[" + name + "]");
  EXPECT_EQ(parsed("<!--#" + name + "x -->", 7),
            "{the \"" + name + "...\" SSI command is too long}");
  std::string many;
  for (std::size_t i = 0; i <= SsiParser::kMaxParameters; ++i) many += " a='b'";
  EXPECT_EQ(parsed("<!--#x" + many + " -->", 7), "{too many SSI command parameters: \"x\"}");
}

TEST(SsiCommandText, IsWhatTheParserReads) {
  const SsiCommand command{.name = "include", .parameters = {{.name = "virtual", .value = "/a"}}};
  EXPECT_EQ(parsed(command.text(), 100), "[include virtual=/a]");
}

TEST(SsiCommandText, AValueKeepsItsQuotesSinceTheOtherKindMayBePartOfIt) {
  SsiParser parser(256);
  std::string_view page = R"(<!--#set var='a' value='say "b"' -->)";
  ASSERT_EQ(parser.next(page).kind, SsiParser::Step::Kind::command);
  EXPECT_EQ(parsed(parser.command().text(), 100), R"([set var=a value=say "b"])");
}

}  // namespace
}  // namespace filter
