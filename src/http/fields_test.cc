#include "http/fields.h"

#include <gtest/gtest.h>

#include <string>

#include "base/text.h"

namespace http {
namespace {

std::string text_of_all(const Fields& fields) {
  std::string text;
  for (const Field& field : fields)
    text.append(field.name).append("=").append(field.value).append(";");
  return text;
}

TEST(FieldName, InternsEveryKnownNameInAnyCaseAndNothingElse) {
  for (std::size_t i = 1; i < kFieldNameCount; ++i) {
    const auto id = static_cast<FieldName>(i);
    std::string name(text_of(id));
    EXPECT_EQ(intern(name), id) << name;
    EXPECT_EQ(intern(base::lower(name)), id) << name;
    for (char& c : name) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    EXPECT_EQ(intern(name), id) << name;
    EXPECT_EQ(intern(name + "x"), FieldName::other);
    EXPECT_EQ(intern(name.substr(1)), FieldName::other);
  }
  EXPECT_EQ(intern(""), FieldName::other);
  EXPECT_EQ(intern(std::string(1000, 'a')), FieldName::other);
  // '-' without bit 5 is CR: folding case by bits alone would confuse them.
  EXPECT_EQ(intern("Content\rLength"), FieldName::other);
  EXPECT_EQ(intern("Content_Length"), FieldName::other);
}

TEST(FieldName, FoldsUnderscoresAndDots) {
  EXPECT_EQ(intern_folded("X_Forwarded.For"), FieldName::x_forwarded_for);
  EXPECT_EQ(intern_folded("X_Forwarded_Foo"), FieldName::other);
  EXPECT_TRUE(equal_folded("X_real.ip", "x-REAL-ip"));
  EXPECT_FALSE(equal_folded("XrealIip", "X-real-ip"));
}

TEST(FieldName, TreatsFramingInTrailersAsAnAttack) {
  EXPECT_EQ(trailer_use(FieldName::content_length), TrailerUse::refuse);
  EXPECT_EQ(trailer_use(FieldName::authorization), TrailerUse::drop);
  EXPECT_EQ(trailer_use(FieldName::other), TrailerUse::keep);
  EXPECT_EQ(trailer_use(FieldName::etag), TrailerUse::keep);
}

TEST(Fields, KeepsOrderAndFindsTheFirst) {
  base::Arena arena;
  Fields fields(arena);
  EXPECT_EQ(fields.find(FieldName::host), nullptr);
  EXPECT_TRUE(fields.add("cookie", "1"));
  EXPECT_TRUE(fields.add("X-Own", "2"));
  EXPECT_TRUE(fields.add(FieldName::cookie, "3"));
  EXPECT_EQ(text_of_all(fields), "cookie=1;X-Own=2;Cookie=3;");
  EXPECT_EQ(fields.value(FieldName::cookie), "1");
  EXPECT_EQ(fields.find("x-OWN")->value, "2");
  EXPECT_EQ(fields.find("x-other"), nullptr);
  EXPECT_EQ(fields.count(FieldName::cookie), 2U);
  EXPECT_EQ(fields.bytes(), 20U);
}

TEST(Fields, RemovesAllOfANameAndKeepsTheOthers) {
  base::Arena arena;
  Fields fields(arena);
  for (const std::string_view name : {"A", "Host", "a", "B", "host"}) {
    EXPECT_TRUE(fields.add(name, "x"));
  }
  EXPECT_EQ(fields.remove(FieldName::host), 2U);
  EXPECT_FALSE(fields.has(FieldName::host));
  EXPECT_EQ(fields.remove("a"), 2U);
  EXPECT_EQ(fields.remove("a"), 0U);
  EXPECT_EQ(text_of_all(fields), "B=x;");
  EXPECT_EQ(fields.bytes(), 2U);
}

TEST(Fields, SetsExactlyOne) {
  base::Arena arena;
  Fields fields(arena);
  for (const std::string_view name : {"Host", "A", "host", "a"}) EXPECT_TRUE(fields.add(name, "x"));
  EXPECT_TRUE(fields.set(FieldName::host, "y"));
  EXPECT_TRUE(fields.set("A", "z"));
  EXPECT_TRUE(fields.set("New", "n"));
  EXPECT_EQ(text_of_all(fields), "Host=y;A=z;New=n;");
}

TEST(Fields, GrowsToItsLimitAndRefusesMore) {
  base::Arena arena;
  Fields fields(arena, 100);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(fields.add("X", "y"));
  EXPECT_FALSE(fields.add("X", "y"));
  EXPECT_FALSE(fields.set("Z", "y"));
  EXPECT_EQ(fields.count(), 100U);
}

TEST(Fields, CopiesAreIndependentAndMovesLeaveNothing) {
  base::Arena arena;
  Fields fields(arena);
  EXPECT_TRUE(fields.add("A", "x"));
  Fields copy(arena);
  EXPECT_TRUE(copy.copy_from(fields));
  EXPECT_TRUE(copy.add("B", "y"));
  EXPECT_EQ(text_of_all(fields), "A=x;");
  const Fields moved = std::move(copy);
  EXPECT_EQ(text_of_all(moved), "A=x;B=y;");
}

}  // namespace
}  // namespace http
