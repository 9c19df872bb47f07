#include "cli/manual_page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "snapshot/features.h"

namespace cli {
namespace {

std::string page_of_this_build() {
  return manual_page(snapshot::features(), snapshot::variables());
}

TEST(ManualPage, HasEveryDirectiveWithItsDocumentation) {
  const std::string page = page_of_this_build();
  std::size_t at = 0;
  std::size_t count = 0;
  for (const config::Feature& feature : snapshot::features()) {
    for (const config::DirectiveSpec& spec : feature.directives) {
      const std::string call = ".HP 4\n\\fB" + escape_roff(spec.name) + "\\fR";
      at = page.find(call, at);
      ASSERT_NE(at, std::string::npos) << spec.name << " of " << feature.name;
      at = page.find("\n" + roff_line(spec.documentation) + "\n", at);
      ASSERT_NE(at, std::string::npos) << spec.name << " of " << feature.name;
      ++count;
    }
  }
  EXPECT_GT(count, 100U);
}

TEST(ManualPage, HasEveryVariable) {
  const std::string page = page_of_this_build();
  for (const script::VariableTable& table : snapshot::variables()) {
    for (const script::VariableSpec& spec : table) {
      EXPECT_NE(page.find("\\fB$" + escape_roff(spec.name) + "\\fR"), std::string::npos)
          << spec.name;
    }
  }
}

TEST(ManualPage, ShowsSyntaxContextsAndDefault) {
  constexpr config::DirectiveSpec kSpecs[] = {
      {.name = "gate",
       .contexts = config::kHttpServer,
       .repeat = config::Repeat::repeatable,
       .syntax = "on | off",
       .default_text = "-1",
       .documentation = ".conf says it's so."},
      {.name = "wall",
       .contexts = config::Context::main,
       .block = config::opens(config::Context::http),
       .syntax = "{ ... }",
       .documentation = "A block."},
  };
  const config::Feature feature{"real_ip", kSpecs, nullptr};
  const std::string page = manual_page(std::span(&feature, 1), {});
  EXPECT_NE(page.find(".SS Real IP\n"
                      ".HP 4\n\\fBgate\\fR on | off;\n.RS 4\n\\&.conf says it\\(aqs so.\n.br\n"
                      "In http or server. May be repeated. Default: \\fB\\-1\\fR.\n.RE\n"
                      ".HP 4\n\\fBwall\\fR { ... }\n.RS 4\nA block.\n.br\nIn main.\n.RE\n"),
            std::string::npos)
      << page;
}

TEST(ManualPage, EscapesWhatRoffWouldTakeForItsOwn) {
  EXPECT_EQ(escape_roff(R"(a\b-c'd`e^f~g"h)"), R"(a\(rsb\-c\(aqd\(gae\(haf\(tig\(dqh)");
  EXPECT_EQ(escape_roff("a\n.so /etc/passwd\x7f"), "a .so /etc/passwd ");
}

TEST(ManualPage, TakesNoTextForARequest) {
  EXPECT_EQ(roff_line(".so file"), "\\&.so file");
  EXPECT_EQ(roff_line("'so file"), "\\(aqso file");
  EXPECT_EQ(roff_line(" x"), "\\& x");
  EXPECT_EQ(roff_line(""), "\\&");
  EXPECT_EQ(roff_line("plain"), "plain");
}

TEST(ManualPage, HasOnlyRequestsThatItMeans) {
  std::istringstream lines(page_of_this_build());
  const std::vector<std::string_view> known{".TH ", ".nh", ".ad",  ".SH ", ".SS ", ".PP",
                                            ".nf",  ".fi", ".RS ", ".RE",  ".TP",  ".HP ",
                                            ".br",  ".B ", ".I ",  ".BR ", ".IR ", ".BI "};
  for (std::string line; std::getline(lines, line);) {
    EXPECT_FALSE(line.starts_with('\'')) << line;
    if (!line.starts_with('.')) continue;
    EXPECT_TRUE(std::ranges::any_of(known, [&](auto each) { return line.starts_with(each); }))
        << line;
  }
}

}  // namespace
}  // namespace cli
