#include "content/media_types.h"

#include <gtest/gtest.h>

namespace content {
namespace {

TEST(EndingOf, IsBehindTheLastDotOfTheLastSegment) {
  EXPECT_EQ(ending_of("/a/b.tar.gz"), "gz");
  EXPECT_EQ(ending_of("/a.d/b"), "");
  EXPECT_EQ(ending_of("/a.d/"), "");
  EXPECT_EQ(ending_of("/.htaccess"), "") << "a dot at the beginning makes a name";
  EXPECT_EQ(ending_of("/a/.b.c"), "c");
  EXPECT_EQ(ending_of("/a."), "");
  EXPECT_EQ(ending_of("*"), "");
  EXPECT_EQ(ending_of(""), "");
}

TEST(MediaTypes, AreFoundInAnyLetterCase) {
  MediaTypes types;
  types.set("HTML", "text/html");
  EXPECT_EQ(types.find("/a.html"), "text/html");
  EXPECT_EQ(types.find("/a.HtMl"), "text/html");
  EXPECT_EQ(types.find("/a.htm"), "");
  EXPECT_EQ(types.find("/html"), "");
}

TEST(MediaTypes, TellWhatIsReplaced) {
  MediaTypes types;
  EXPECT_EQ(types.set("js", "text/javascript"), "");
  EXPECT_EQ(types.set("JS", "application/javascript"), "text/javascript");
  EXPECT_EQ(types.find("/x.js"), "application/javascript");
}

TEST(MediaTypes, AnEndlessEndingHasNone) {
  EXPECT_EQ(MediaTypes::defaults().find("/a." + std::string(100'000, 'x')), "");
  EXPECT_EQ(MediaTypes::defaults().find("/a.html"), "text/html");
}

}  // namespace
}  // namespace content
