#include "config/diagnostics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace config {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(Diagnostics, ShowsTheLineTheColumnAndTheHint) {
  Diagnostics diagnostics;
  const auto file = diagnostics.add_source("/etc/s.conf", "a;\n    lissten 80;\n");
  diagnostics.error({file, 2, 5}, "unknown directive \"lissten\"", "did you mean \"listen\"?");
  EXPECT_EQ(diagnostics.render(),
            "sallyport: [emerg] unknown directive \"lissten\" in /etc/s.conf:2\n"
            "  /etc/s.conf:2:5\n"
            "        lissten 80;\n"
            "        ^\n"
            "  hint: did you mean \"listen\"?\n");
}

TEST(Diagnostics, KeepsErrorsApartFromWarnings) {
  Diagnostics diagnostics;
  diagnostics.warning({}, "odd");
  diagnostics.notice({}, "by the way");
  EXPECT_FALSE(diagnostics.has_errors());
  diagnostics.error({}, "bad");
  EXPECT_TRUE(diagnostics.has_errors());
  EXPECT_EQ(diagnostics.render(),
            "sallyport: [warn] odd\nsallyport: [notice] by the way\nsallyport: [emerg] bad\n");
}

TEST(Diagnostics, PutsTheCaretBelowTheCharacterWhateverPrecedesIt) {
  Diagnostics diagnostics;
  const auto file = diagnostics.add_source("f", "\t\xC3\xA4\xC3\xA4 b;\r\n");
  diagnostics.error({file, 1, 7}, "m");
  EXPECT_THAT(diagnostics.render(), HasSubstr("        \xC3\xA4\xC3\xA4 b;\n           ^\n"));
}

TEST(Diagnostics, CutsLongLinesAroundTheCaretAndWrapsHints) {
  Diagnostics diagnostics;
  const auto file =
      diagnostics.add_source("f", std::string(300, 'a') + "X" + std::string(300, 'b'));
  std::string hint;
  for (int i = 0; i < 40; ++i) hint += "word ";
  diagnostics.error({file, 1, 301}, "m", hint);
  std::string rendered = diagnostics.render();
  const std::size_t caret = rendered.find('^');
  const std::size_t line = rendered.rfind('\n', rendered.rfind('\n', caret) - 1);
  const std::size_t caret_line = rendered.rfind('\n', caret);
  EXPECT_EQ(rendered[line + (caret - caret_line)], 'X');
  while (!rendered.empty()) {
    const std::size_t end = rendered.find('\n');
    EXPECT_LE(end, 80U);
    rendered.erase(0, end + 1);
  }
}

TEST(Diagnostics, GivesPlainFields) {
  Diagnostics diagnostics;
  const auto file = diagnostics.add_source("f", "one\ntwo\xFF\x1B[31m\n");
  diagnostics.error({file, 2, 1}, "m\n", "h");
  const auto list = diagnostics.list();
  ASSERT_THAT(list, SizeIs(1));
  EXPECT_EQ(list[0].message, "m\\x0A");
  EXPECT_EQ(list[0].source_line, "two\\xFF\\x1B[31m");
  EXPECT_EQ(list[0].file, "f");
  EXPECT_EQ(list[0].line, 2U);
  EXPECT_EQ(list[0].hint, "h");
}

TEST(Diagnostics, KeepsABoundedNumber) {
  Diagnostics diagnostics;
  for (std::size_t i = 0; i < Diagnostics::kMax + 5; ++i) diagnostics.error({}, "m");
  EXPECT_THAT(diagnostics.list(), SizeIs(Diagnostics::kMax));
  EXPECT_EQ(diagnostics.error_count(), Diagnostics::kMax + 5);
  EXPECT_THAT(diagnostics.render(), HasSubstr("5 more messages"));
}

TEST(Diagnostics, ShowsPositionsBeyondTheText) {
  Diagnostics diagnostics;
  const auto file = diagnostics.add_source("f", "a");
  diagnostics.error({file, 9, 9}, "m");
  diagnostics.error({file, 1, 99}, "m");
  diagnostics.error({file + 1, 1, 1}, "m");
  EXPECT_THAT(diagnostics.render(), HasSubstr("    a\n     ^\n"));
}

TEST(Printable, EscapesWhatIsNotUtf8OrControls) {
  EXPECT_EQ(printable("\xC3\xA4\t~"), "\xC3\xA4\t~");
  EXPECT_EQ(printable("\xC0\xAF"), "\\xC0\\xAF");
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xED\\xA0\\x80");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xC2\\x9B");
  EXPECT_EQ(printable("\xF0\x9F\x98\x80"), "\xF0\x9F\x98\x80");
  EXPECT_EQ(printable("\xF0\x9F"), "\\xF0\\x9F");
}

}  // namespace
}  // namespace config
