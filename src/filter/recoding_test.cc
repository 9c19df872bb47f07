#include "filter/recoding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace filter {
namespace {

using Kind = RecodingTable::Kind;

std::string recode(const RecodingTable& table, std::string_view text, std::size_t piece) {
  Recoding recoding(table);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) recoding.run(text.substr(at, piece), out);
  recoding.finish(out);
  return out;
}

RecodingTable from_utf8() {
  RecodingTable table(Kind::from_utf8);
  table.codes[0x416] = 0xd6;   // Ж
  table.codes[0x20ac] = 0x80;  // €
  return table;
}

TEST(Recoding, OfOneByteToAnother) {
  RecodingTable table(Kind::bytes);
  table.bytes[0xd6] = '\xc6';
  EXPECT_EQ(recode(table, "a\xd6\xd7", 1), "a\xc6?");
}

TEST(Recoding, ToUtf8) {
  RecodingTable table(Kind::to_utf8);
  table.characters[0xd6] = {.size = 2, .bytes = {'\xd0', '\x96'}};
  EXPECT_EQ(recode(table, "a\xd6\xd7", 2), "a\xd0\x96?");
}

TEST(Recoding, FromUtf8InPiecesOfAnySize) {
  const RecodingTable table = from_utf8();
  constexpr std::string_view kText = "a\xd0\x96\xe2\x82\xac\xd0\x97\xf0\x9f\x98\x80z";
  for (std::size_t piece = 1; piece <= kText.size(); ++piece) {
    EXPECT_EQ(recode(table, kText, piece), "a\xd6\x80&#1047;&#128512;z") << piece;
  }
}

TEST(Recoding, AQuestionMarkForWhatIsNoUtf8) {
  const RecodingTable table = from_utf8();
  const auto expect = [&](std::string_view text, std::string_view wanted) {
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
      EXPECT_EQ(recode(table, text, piece), wanted) << piece;
    }
  };
  expect("\x80z", "?z");
  expect("\xffz", "?z");
  expect("\xc0\x80", "??");          // no byte of UTF-8, and one that stands alone
  expect("\xe0\x80\x80", "???");     // a shorter form exists
  expect("\xed\xa0\x80", "???");     // a surrogate
  expect("\xf4\x90\x80\x80", "????");  // beyond the last
  expect("\xd0z", "?z");
  expect("\xe2\x82\xd0\x96", "?\xd6");
  expect("a\xe2\x82", "a?");         // the end
}

TEST(Recoding, DecodesOneWholeCharacter) {
  EXPECT_EQ(decode_utf8("a"), 'a');
  EXPECT_EQ(decode_utf8("\xd0\x96"), 0x416U);
  EXPECT_EQ(decode_utf8("\xe2\x82\xac"), 0x20acU);
  for (const std::string_view text : {"", "\x80", "\xd0", "\xd0z", "ab", "\xe0\x80\x80",
                                      "\xed\xa0\x80", "\xf0\x9f\x98\x80", "\xd0\x96z"}) {
    EXPECT_EQ(decode_utf8(text), kNotOne) << text;
  }
}

}  // namespace
}  // namespace filter
