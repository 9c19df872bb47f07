#include "base/base64.h"

#include <gtest/gtest.h>

#include <array>

namespace base {
namespace {

std::optional<std::string> decoded(std::string_view text, Base64 alphabet = Base64::standard,
                                   std::size_t room = 64) {
  std::string into(room, '\0');
  const auto size = decode_base64(text, alphabet, into);
  if (!size) return std::nullopt;
  return into.substr(0, *size);
}

TEST(Base64Text, IsThatOfRfc4648) {
  // §10
  const std::array<std::pair<std::string_view, std::string_view>, 7> kCases{
      {{"", ""},
       {"f", "Zg=="},
       {"fo", "Zm8="},
       {"foo", "Zm9v"},
       {"foob", "Zm9vYg=="},
       {"fooba", "Zm9vYmE="},
       {"foobar", "Zm9vYmFy"}}};
  for (const auto& [bytes, text] : kCases) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decoded(text), bytes);
    EXPECT_EQ(decoded(text.substr(0, text.find('='))), bytes) << "without padding";
  }
}

TEST(Base64Text, HasTwoAlphabets) {
  EXPECT_EQ(encode_base64("\xfb\xff"), "+/8=");
  EXPECT_EQ(decoded("+/8="), "\xfb\xff");
  EXPECT_EQ(decoded("-_8", Base64::url), "\xfb\xff");
  EXPECT_EQ(decoded("-_8"), std::nullopt);
  EXPECT_EQ(decoded("+/8", Base64::url), std::nullopt);
}

TEST(Base64Text, EndsAtItsPadding) { EXPECT_EQ(decoded("Zg==anything"), "f"); }

TEST(Base64Text, IsRefusedWhereItIsNone) {
  for (const std::string_view text : {"Z", "Zm9vY", "Zm 9", "Zm\n9", "Zm9\xff"}) {
    EXPECT_EQ(decoded(text), std::nullopt) << text;
  }
}

TEST(Base64Text, NeverWritesBeyondItsRoom) {
  EXPECT_EQ(decoded("Zm9vYmFy", Base64::standard, 6), "foobar");
  EXPECT_EQ(decoded("Zm9vYmFy", Base64::standard, 5), std::nullopt);
  EXPECT_EQ(decoded("Zg", Base64::standard, 0), std::nullopt);
}

}  // namespace
}  // namespace base
