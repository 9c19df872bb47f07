// The lexer and the parser together: what nginx's ngx_conf_read_token and ngx_conf_include do.
#include "config/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/lexer.h"
#include "config/memory_files.h"

namespace config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Parsed {
  MemoryFiles files;
  Diagnostics diagnostics;
  Tree tree;

  explicit Parsed(std::string text) {
    parse_text("/etc/test.conf", std::move(text), files, diagnostics, tree);
  }
  Parsed() = default;
  void parse_main() { parse_file("main.conf", files, diagnostics, tree); }

  [[nodiscard]] std::vector<std::string> words(std::size_t i = 0) const {
    std::vector<std::string> out;
    if (i >= tree.directives.size()) return out;
    out.push_back(tree.directives[i].name.text);
    for (const Word& word : tree.directives[i].arguments) out.push_back(word.text);
    return out;
  }
  /// "MESSAGE LINE:COLUMN" of each message.
  [[nodiscard]] std::vector<std::string> errors() const {
    std::vector<std::string> out;
    for (const Diagnostic& each : diagnostics.list()) {
      out.push_back(each.message + " " + std::to_string(each.line) + ":" +
                    std::to_string(each.column));
    }
    return out;
  }
};

TEST(Lexer, CutsWordsAtSpacesAndSemicolons) {
  const Parsed parsed("a b\tc\r\n  d;e;");
  EXPECT_THAT(parsed.errors(), IsEmpty());
  EXPECT_THAT(parsed.words(0), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(parsed.words(1), ElementsAre("e"));
}

TEST(Lexer, TellsWhereWordsStand) {
  const Parsed parsed("a\n  bc \"d\" {\n}");
  ASSERT_THAT(parsed.tree.directives, SizeIs(1));
  const Directive& directive = parsed.tree.directives.front();
  EXPECT_EQ(directive.name.at, (Position{0, 1, 1}));
  EXPECT_EQ(directive.arguments[0].at, (Position{0, 2, 3}));
  EXPECT_EQ(directive.arguments[1].at, (Position{0, 2, 6}));
  EXPECT_TRUE(directive.arguments[1].quoted);
  EXPECT_EQ(directive.block_start, (Position{0, 2, 10}));
  EXPECT_EQ(directive.block_end, (Position{0, 3, 1}));
}

TEST(Lexer, KeepsSpecialCharactersInQuotes) {
  EXPECT_THAT(Parsed(R"(a "b ; { } # 'c'" 'd "e"' "";)").words(),
              ElementsAre("a", "b ; { } # 'c'", "d \"e\"", ""));
}

TEST(Lexer, ReplacesNginxsEscapesAndKeepsOthers) {
  EXPECT_THAT(Parsed(R"(a "\"\'\\\t\r\n\d\." \"b\' c\\d x\ y \.php$ \;;)").words(),
              ElementsAre("a", "\"'\\\t\r\n\\d\\.", "\"b'", "c\\d", "x\\ y", "\\.php$", "\\;"));
}

TEST(Lexer, TakesQuotesInsideAWordAsTheyAre) {
  EXPECT_THAT(Parsed(R"(a b"c" d'e;)").words(), ElementsAre("a", "b\"c\"", "d'e"));
}

TEST(Lexer, BeginsCommentsOnlyWhereAWordCould) {
  EXPECT_THAT(Parsed("a b#c # d ; {\n e; # last").words(), ElementsAre("a", "b#c", "e"));
}

TEST(Lexer, TakesBracesOfVariablesIntoTheWord) {
  const Parsed parsed("a ${b}c $d{e;}");
  EXPECT_THAT(parsed.words(), ElementsAre("a", "${b}c", "$d"));
  EXPECT_TRUE(parsed.tree.directives[0].has_block);
  EXPECT_THAT(parsed.errors(), IsEmpty());
  EXPECT_THAT(Parsed("a ${{b};").words(), ElementsAre("a", "${{b}"));
}

TEST(Lexer, TakesAClosingBraceInsideAWordAsItIs) {
  EXPECT_THAT(Parsed("a b}c d};").words(), ElementsAre("a", "b}c", "d}"));
}

TEST(Lexer, BeginsAWordWithTheParenthesisBehindAQuote) {
  EXPECT_THAT(Parsed("if ($a = \"b\") { }").words(), ElementsAre("if", "($a", "=", "b", ")"));
}

TEST(Lexer, AcceptsRepetitionsAfterRegularExpressionsInQuotes) {
  EXPECT_THAT(Parsed("location ~ \"^/[0-9]{3}$\" { }").words(),
              ElementsAre("location", "~", "^/[0-9]{3}$"));
}

TEST(Lexer, RefusesWhatFollowsAClosingQuote) {
  const Parsed parsed("a \"b\"c d;\ne;");
  EXPECT_THAT(parsed.errors(), ElementsAre("unexpected \"c\" 1:6"));
  EXPECT_THAT(parsed.words(0), ElementsAre("a", "b", "d"));
  EXPECT_THAT(parsed.words(1), ElementsAre("e"));
}

TEST(Lexer, ReportsSemicolonsAndBracesWithoutAName) {
  EXPECT_THAT(Parsed("a;;\n{ b; }\n c;").errors(),
              ElementsAre("unexpected \";\" 1:3", "unexpected \"{\" 2:1"));
}

TEST(Lexer, ReportsTheBraceThatFollowsAMissingSemicolonAndGoesOn) {
  const Parsed parsed("server {\n  listen 80\n}\nserver { x; }\n");
  EXPECT_THAT(parsed.errors(), ElementsAre("unexpected \"}\" 3:1"));
  EXPECT_THAT(parsed.diagnostics.list()[0].hint,
              HasSubstr("a \";\" is missing after \"80\" in line 2"));
  ASSERT_THAT(parsed.tree.directives, SizeIs(2));
  EXPECT_THAT(parsed.tree.directives[0].block, SizeIs(1));
}

TEST(Lexer, ReportsTheEndInsideAStatementOrAQuote) {
  const std::string message = "unexpected end of file, expecting \";\" or \"}\"";
  EXPECT_THAT(Parsed("a b").errors(), ElementsAre(message + " 1:4"));
  EXPECT_THAT(Parsed("a {\n b #;\n").errors(), ElementsAre(message + " 3:1"));
  const Parsed quote("a;\nb \"c;\nd;\n");
  EXPECT_THAT(quote.errors(), ElementsAre(message + " 4:1"));
  EXPECT_EQ(quote.diagnostics.list()[0].hint, "the quote opened in line 2 is not closed");
  EXPECT_THAT(Parsed("a b\\").errors(), ElementsAre(message + " 1:5"));
  EXPECT_THAT(Parsed("a 'b'").errors(), ElementsAre(message + " 1:6"));
}

TEST(Lexer, AcceptsTextsWithoutStatements) {
  EXPECT_THAT(Parsed("").errors(), IsEmpty());
  EXPECT_THAT(Parsed("# only a comment").errors(), IsEmpty());
  EXPECT_THAT(Parsed(" \r\n\t").errors(), IsEmpty());
}

TEST(Lexer, RefusesNulBytesAndByteOrderMarks) {
  EXPECT_THAT(Parsed(std::string("a;\nb\0c;", 7)).errors(), ElementsAre("unexpected NUL byte 2:2"));
  const Parsed parsed(
      "\xEF\xBB\xBF"
      "a;");
  EXPECT_THAT(parsed.errors(), ElementsAre("unexpected byte order mark 1:1"));
  EXPECT_THAT(parsed.words(), ElementsAre("a"));
}

TEST(Lexer, BoundsTheLengthOfWords) {
  const std::string fits(Lexer::kMaxWord, 'x');
  EXPECT_THAT(Parsed("a " + fits.substr(1) + ";").errors(), IsEmpty());
  EXPECT_THAT(Parsed("a " + fits + "x;").errors(),
              ElementsAre("too long parameter \"xxxxxxxxxx...\" started 1:3"));
  EXPECT_THAT(Parsed("a '" + fits + "x';").errors(),
              ElementsAre("too long parameter, probably missing terminating \"'\" character 1:3"));
}

TEST(Lexer, StopsAfterManyErrors) {
  EXPECT_THAT(Parsed(std::string(10'000, ';')).errors(), SizeIs(Lexer::kMaxErrors + 1));
}

TEST(Parser, NestsBlocks) {
  const Parsed parsed("http { server { a; location / { b; } } c; }");
  EXPECT_THAT(parsed.errors(), IsEmpty());
  const Directive& http = parsed.tree.directives.at(0);
  ASSERT_THAT(http.block, SizeIs(2));
  EXPECT_EQ(http.block[0].block[1].name.text, "location");
  EXPECT_EQ(http.block[1].name.text, "c");
}

TEST(Parser, ReportsUnbalancedBraces) {
  EXPECT_THAT(Parsed("a;\n}\nb;").errors(), ElementsAre("unexpected \"}\" 2:1"));
  const Parsed open("http {\n server {\n a;\n }\n");
  EXPECT_THAT(open.errors(), ElementsAre("unexpected end of file, expecting \"}\" 5:1"));
  EXPECT_EQ(open.diagnostics.list()[0].hint, "block \"http\" in line 1 is not closed");
  EXPECT_THAT(open.tree.directives, SizeIs(1));
}

TEST(Parser, BoundsNesting) {
  std::string deep;
  for (int i = 0; i < 64; ++i) deep += "a { ";
  EXPECT_THAT(Parsed(deep + std::string(64, '}')).errors(), IsEmpty());
  EXPECT_THAT(Parsed(deep + "b { " + std::string(65, '}')).errors(),
              ElementsAre("blocks are nested more than 64 deep 1:259"));
}

TEST(Parser, BoundsTheNumberOfDirectives) {
  MemoryFiles files;
  Diagnostics diagnostics;
  Tree tree;
  parse_text("t", "a; b; c; d; e;", files, diagnostics, tree, {.directives = 3});
  EXPECT_THAT(tree.directives, SizeIs(3));
  EXPECT_EQ(diagnostics.error_count(), 1U);
}

TEST(Parser, PutsIncludedDirectivesInPlace) {
  Parsed parsed;
  parsed.files.add("main.conf", "a;\nhttp { include sites/*.conf; z; }\n");
  parsed.files.add("sites/2.conf", "two;");
  parsed.files.add("sites/1.conf", "one {\n include other.inc; }");
  parsed.files.add("sites/.hidden.conf", "hidden;");
  parsed.files.add("other.inc", "other;");  // relative to the main file, not to the includer
  parsed.parse_main();
  EXPECT_THAT(parsed.errors(), IsEmpty());
  const Directive& http = parsed.tree.directives.at(1);
  ASSERT_THAT(http.block, SizeIs(3));
  EXPECT_EQ(http.block[0].name.text, "one");
  EXPECT_EQ(http.block[0].block.at(0).name.text, "other");
  EXPECT_EQ(http.block[1].name.text, "two");
  EXPECT_EQ(parsed.diagnostics.place(http.block[1].name.at), "/etc/sites/2.conf:1");
}

TEST(Parser, AcceptsPatternsThatMatchNothing) {
  Parsed parsed("include none/*.conf; a;");
  EXPECT_THAT(parsed.errors(), IsEmpty());
  EXPECT_THAT(parsed.words(), ElementsAre("a"));
}

TEST(Parser, ReportsMissingIncludesAndGoesOn) {
  Parsed parsed("include none.conf;\na;");
  EXPECT_THAT(parsed.errors(),
              ElementsAre("open() \"/etc/none.conf\" failed (2: No such file or directory) 1:9"));
  EXPECT_THAT(parsed.words(), ElementsAre("a"));
}

TEST(Parser, ReportsMalformedIncludes) {
  EXPECT_THAT(Parsed("include;\ninclude a b;\ninclude c { }").errors(),
              ElementsAre("invalid number of arguments in \"include\" directive 1:1",
                          "invalid number of arguments in \"include\" directive 2:1",
                          "directive \"include\" is not terminated by \";\" 3:1"));
}

TEST(Parser, ReportsAMissingMainFile) {
  Parsed parsed;
  parsed.parse_main();
  EXPECT_EQ(parsed.diagnostics.render(),
            "sallyport: [emerg] open() \"/etc/main.conf\" failed (2: No such file or directory)\n");
}

TEST(Parser, ReportsIncludeCycles) {
  Parsed parsed;
  parsed.files.add("main.conf", "include a.conf;");
  parsed.files.add("a.conf", "x;\ninclude main.conf;");
  parsed.parse_main();
  EXPECT_THAT(parsed.errors(), ElementsAre("include cycle 2:9"));
  EXPECT_THAT(parsed.diagnostics.list()[0].hint,
              HasSubstr("\"/etc/main.conf\" includes \"/etc/a.conf\" includes \"/etc/main.conf\""));
  EXPECT_THAT(parsed.words(), ElementsAre("x"));
}

TEST(Parser, ReadsAFileThatIsIncludedTwiceOnce) {
  Parsed parsed;
  parsed.files.add("main.conf", "a { include x; } b { include x; }");
  parsed.files.add("x", "c;");
  parsed.parse_main();
  EXPECT_THAT(parsed.errors(), IsEmpty());
  EXPECT_THAT(parsed.diagnostics.sources(), SizeIs(2));
  EXPECT_THAT(parsed.tree.directives.at(1).block, SizeIs(1));
}

TEST(Parser, BoundsTheDepthOfIncludes) {
  Parsed parsed;
  parsed.files.add("main.conf", "include 0;");
  for (int i = 0; i < 20; ++i) {
    parsed.files.add(std::to_string(i), "include " + std::to_string(i + 1) + ";");
  }
  parsed.parse_main();
  EXPECT_THAT(parsed.errors(), ElementsAre("includes are nested more than 16 deep 1:9"));
}

TEST(Parser, BoundsTheNumberOfFiles) {
  Parsed parsed;  // 2^16 files if it were not bounded
  parsed.files.add("main.conf", "include 0; include 0;");
  for (int i = 0; i < 15; ++i) {
    const std::string next = std::to_string(i + 1);
    parsed.files.add(std::to_string(i), "include " + next + "; include " + next + ";");
  }
  parsed.files.add("15", "a;");
  parse_file("main.conf", parsed.files, parsed.diagnostics, parsed.tree, {.files = 100});
  EXPECT_EQ(parsed.diagnostics.error_count(), 1U);
}

TEST(Parser, RequiresEachFileToBeBalanced) {
  Parsed parsed;
  parsed.files.add("main.conf", "a { include x;\nb;");
  parsed.files.add("x", "}");
  parsed.parse_main();
  EXPECT_THAT(parsed.errors(),
              ElementsAre("unexpected \"}\" 1:1", "unexpected end of file, expecting \"}\" 2:3"));
}

TEST(Parser, TakesPlainDirectivesOnTheCommandLine) {
  Parsed parsed;
  parse_command_line("daemon off; pid x;", parsed.files, parsed.diagnostics, parsed.tree);
  EXPECT_THAT(parsed.words(1), ElementsAre("pid", "x"));
  parse_command_line("http { }", parsed.files, parsed.diagnostics, parsed.tree);
  parse_command_line("daemon off", parsed.files, parsed.diagnostics, parsed.tree);
  EXPECT_THAT(parsed.errors(), ElementsAre("block directives are not supported in -g option 1:1",
                                           "unexpected end of parameter, expecting \";\" 1:11"));
  EXPECT_THAT(parsed.diagnostics.render(),
              HasSubstr("not supported in -g option in command line\n"));
  EXPECT_THAT(parsed.tree.directives, SizeIs(2));
}

TEST(Parser, PassesOverLuaSoThatItIsRefusedByName) {
  for (const std::string code :
       {"ngx.say(\"hi\")", "local t = { a = { b = 1 } }", "x = '}' y = \"\\\"}\"", "-- }\n x = 1",
        "--[[ } \n ]] x = 1", "x = [==[ } ]] ]==]", "t = { [1] = a[b[1]] }", ""}) {
    Parsed parsed("content_by_lua_block { " + code + " }\nnext;");
    EXPECT_THAT(parsed.errors(), IsEmpty()) << code;
    ASSERT_EQ(parsed.tree.directives.size(), 2U) << code;
    EXPECT_TRUE(parsed.tree.directives[0].block.empty()) << code;
    EXPECT_EQ(parsed.tree.directives[1].name.text, "next") << code;
  }
}

TEST(Parser, SaysWhereLuaBeganThatDoesNotEnd) {
  for (const std::string code : {"{ x", "[[ }", "\"\\", "--", "{ '"}) {
    Parsed parsed("a;\nlog_by_lua_block {" + code);
    EXPECT_THAT(parsed.errors(), ElementsAre(HasSubstr("unexpected end of file"))) << code;
    EXPECT_THAT(parsed.diagnostics.list()[0].hint, HasSubstr("begins in line 2")) << code;
  }
}

}  // namespace
}  // namespace config
