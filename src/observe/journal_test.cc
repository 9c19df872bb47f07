#include "observe/journal.h"

#include <gtest/gtest.h>

namespace observe {
namespace {

TEST(Journal, MarksEachLineWithTheLevelOfItsMessage) {
  EXPECT_EQ(mark_lines("a word first\n"
                       "sallyport: [warn] odd\n"
                       "  /etc/a.conf:3:5\n"
                       "sallyport: [emerg] wrong in /etc/a.conf:4\n"
                       "    hint: right"),
            "a word first\n"
            "<4>sallyport: [warn] odd\n"
            "<4>  /etc/a.conf:3:5\n"
            "<1>sallyport: [emerg] wrong in /etc/a.conf:4\n"
            "<1>    hint: right");
  EXPECT_EQ(mark_lines(""), "");
}

TEST(Journal, TakesNoUnknownLevelForOne) {
  EXPECT_EQ(mark_lines("sallyport: [error] a\nsallyport: [what] b\nsallyport: [notice\n"),
            "<3>sallyport: [error] a\n<3>sallyport: [what] b\n<3>sallyport: [notice\n");
}

TEST(Journal, ShowsNoEmergencyOnEveryTerminal) {
  EXPECT_EQ(journal_mark(Level::emerg), journal_mark(Level::alert));
  EXPECT_EQ(journal_mark(Level::crit), "<2>");
  EXPECT_EQ(journal_mark(Level::debug), "<7>");
}

}  // namespace
}  // namespace observe
