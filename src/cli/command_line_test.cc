#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <vector>

namespace cli {
namespace {

std::expected<CommandLine, std::string> parse(std::vector<std::string_view> words) {
  return parse_command_line(words);
}

TEST(CommandLine, IsEmptyWithoutWords) { EXPECT_EQ(parse({}), CommandLine{}); }

TEST(CommandLine, TakesValuesFromTheNextWordOrTheSame) {
  const CommandLine apart =
      *parse({"-p", "/srv", "-c", "x.conf", "-g", "daemon off;", "-e", "log"});
  EXPECT_EQ(apart.prefix, "/srv");
  EXPECT_EQ(apart.configuration, "x.conf");
  EXPECT_EQ(apart.directives, "daemon off;");
  EXPECT_EQ(apart.error_log, "log");
  EXPECT_EQ(*parse({"-p/srv", "-cx.conf", "-gdaemon off;", "-elog"}), apart);
}

TEST(CommandLine, LettersShareADash) {
  const CommandLine line = *parse({"-tqc", "x.conf"});
  EXPECT_TRUE(line.test);
  EXPECT_TRUE(line.quiet);
  EXPECT_EQ(line.configuration, "x.conf");
}

TEST(CommandLine, CapitalTTestsAndDumps) {
  EXPECT_TRUE(parse({"-T"})->test);
  EXPECT_TRUE(parse({"-T"})->dump);
  EXPECT_FALSE(parse({"-t"})->dump);
}

TEST(CommandLine, CapitalVShowsTheVersionToo) {
  EXPECT_TRUE(parse({"-V"})->show_version);
  EXPECT_TRUE(parse({"-V"})->show_build);
  EXPECT_FALSE(parse({"-v"})->show_build);
  EXPECT_TRUE(parse({"-h"})->show_help);
  EXPECT_EQ(parse({"-h"}), parse({"-?"}));
}

TEST(CommandLine, TakesNginxsFourSignals) {
  for (const std::string_view name : {"stop", "quit", "reopen", "reload"}) {
    EXPECT_EQ(parse({"-s", name})->signal, name);
  }
  EXPECT_EQ(parse({"-s", "restart"}).error(), "invalid option: \"-s restart\"");
}

TEST(CommandLine, RefusesInNginxsWords) {
  EXPECT_EQ(parse({"start"}).error(), "invalid option: \"start\"");
  EXPECT_EQ(parse({"-"}).error(), "invalid option: \"-\"");
  EXPECT_EQ(parse({"-x"}).error(), "invalid option: \"x\"");
  EXPECT_EQ(parse({"--help"}).error(), "invalid option: \"-\"");
  EXPECT_EQ(parse({"-p"}).error(), "option \"-p\" requires directory name");
  EXPECT_EQ(parse({"-c"}).error(), "option \"-c\" requires file name");
  EXPECT_EQ(parse({"-e", ""}).error(), "option \"-e\" requires file name");
  EXPECT_EQ(parse({"-g"}).error(), "option \"-g\" requires parameter");
  EXPECT_EQ(parse({"-s"}).error(), "option \"-s\" requires parameter");
}

TEST(CommandLine, HelpFitsATerminal) {
  const std::string text = help_text();
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    EXPECT_LE(end, 80U);
    rest.remove_prefix(end + 1);
  }
}

}  // namespace
}  // namespace cli
