#include "http/path.h"

#include <gtest/gtest.h>

#include <string>

namespace http {
namespace {

std::string canonical(std::string_view raw, EncodedSlash slash = EncodedSlash::keep,
                      MergeSlashes merge = MergeSlashes::yes) {
  base::Arena arena;
  const auto path = canonical_path(raw, slash, merge, arena);
  return path ? std::string(*path) : "!" + std::string(name_of(path.error()));
}

TEST(CanonicalPath, ReturnsACanonicalPathItself) {
  base::Arena arena;
  constexpr std::string_view kRaw = "/a/b.c/d../e;f=g/\xc3\xa4";
  const auto path = canonical_path(kRaw, EncodedSlash::keep, MergeSlashes::yes, arena);
  ASSERT_TRUE(path.has_value());
  EXPECT_EQ(path->data(), kRaw.data());
  EXPECT_EQ(*path, kRaw);
}

TEST(CanonicalPath, DecodesAndNormalises) {
  const struct {
    std::string_view raw, expected;
  } kCases[] = {
      {"/", "/"},
      {"//", "/"},
      {"/a//b///c", "/a/b/c"},
      {"/.", "/"},
      {"/./", "/"},
      {"/a/.", "/a/"},
      {"/a/./b", "/a/b"},
      {"/a/..", "/"},
      {"/a/../", "/"},
      {"/a/../b", "/b"},
      {"/a/b/../../c", "/c"},
      {"/a//../b", "/b"},
      {"/a/...", "/a/..."},
      {"/.a/..b", "/.a/..b"},
      {"/%61%62", "/ab"},
      {"/a%20b", "/a b"},
      {"/%c3%A4", "/\xc3\xa4"},
      {"/a%3Fb%23c", "/a?b#c"},
      {"/a%09b", "/a\tb"},
      {"/a.%2e.", "/a..."},
      {"/%2ea", "/.a"},
      {"/a%2Fb", "/a%2Fb"},
      {"/a%2fb", "/a%2Fb"},
      {"/a%2F", "/a%2F"},
      {"/%2F/%2f", "/%2F/%2F"},
      {"/a%2Fb/../c", "/c"},
      {"/100%25", "/100%"},
      {"/100%25x", "/100%x"},
      {"/%252e%252e/", "/%2e%2e/"},
      {"/a%5Cb", "/a\\b"},
      {"/a;b/c;d", "/a;b/c;d"},
      {"/*", "/*"},
  };
  for (const auto& each : kCases) EXPECT_EQ(canonical(each.raw), each.expected) << each.raw;
}

TEST(CanonicalPath, TellsAnEncodedSlashFromATextThatLooksLikeOne) {
  EXPECT_EQ(canonical("/a%2Fb"), "/a%2Fb");
  EXPECT_EQ(canonical("/a%252Fb"), "/a%252Fb");
  EXPECT_EQ(canonical("/a%25%32%46b"), "/a%252Fb");
  EXPECT_EQ(canonical("/a%252fb"), "/a%252fb");
  EXPECT_EQ(canonical("/a%25252Fb"), "/a%25252Fb");
  EXPECT_EQ(canonical("/a%2525"), "/a%2525");
}

TEST(CanonicalPath, RefusesWhatIsAmbiguous) {
  const struct {
    std::string_view raw, error;
  } kCases[] = {
      {"", "not_absolute"},
      {"a", "not_absolute"},
      {"*", "not_absolute"},
      {"%2Fa", "not_absolute"},
      {"/..", "above_root"},
      {"/../a", "above_root"},
      {"/a/../../b", "above_root"},
      {"//..", "above_root"},
      {"/%", "bad_escape"},
      {"/%4", "bad_escape"},
      {"/%4g", "bad_escape"},
      {"/%%41", "bad_escape"},
      {"/%u002e", "bad_escape"},
      {"/a%00", "null_byte"},
      {"/a%0a", "line_break"},
      {"/a%0D%0AX:y", "line_break"},
      {"/%2e", "encoded_dot_segment"},
      {"/%2e/a", "encoded_dot_segment"},
      {"/a/%2e%2e/b", "encoded_dot_segment"},
      {"/a/.%2E/b", "encoded_dot_segment"},
      {"/a/%2e.", "encoded_dot_segment"},
      {"/a/..%2Fb", "encoded_dot_segment"},
      {"/a%2F../b", "encoded_dot_segment"},
      {"/a%2f..", "encoded_dot_segment"},
      {"/a%2F..%2Fb", "encoded_dot_segment"},
      {"/a%2F.%2Fb", "encoded_dot_segment"},
      {"/a/..%5Cb", "encoded_dot_segment"},
      {"/a%5C../b", "encoded_dot_segment"},
      {"/a/..;/b", "encoded_dot_segment"},
      {"/a/..;x=y/b", "encoded_dot_segment"},
      {"/a/.;/b", "encoded_dot_segment"},
      {"/a/..%3B/b", "encoded_dot_segment"},
      {"/a/%2e%2e;/b", "encoded_dot_segment"},
      {"/a b", "forbidden_byte"},
      {"/a\tb", "forbidden_byte"},
      {"/a\\b", "forbidden_byte"},
      {"/a?b", "forbidden_byte"},
      {"/a#b", "forbidden_byte"},
      {"/a\x7f", "forbidden_byte"},
  };
  for (const auto& each : kCases) {
    EXPECT_EQ(canonical(each.raw), "!" + std::string(each.error)) << each.raw;
  }
}

TEST(CanonicalPath, HasThreePoliciesForEncodedSlashes) {
  EXPECT_EQ(canonical("/a%2Fb", EncodedSlash::keep), "/a%2Fb");
  EXPECT_EQ(canonical("/a%2Fb", EncodedSlash::refuse), "!encoded_slash");
  EXPECT_EQ(canonical("/a%2Fb", EncodedSlash::decode), "/a/b");
  EXPECT_EQ(canonical("/a%2F%2F/b", EncodedSlash::decode), "/a/b");
  EXPECT_EQ(canonical("/a%2F..", EncodedSlash::decode), "!encoded_dot_segment");
  EXPECT_EQ(canonical("/a%252Fb", EncodedSlash::decode), "/a%2Fb");
  EXPECT_EQ(canonical("/a%252Fb", EncodedSlash::refuse), "/a%2Fb");
}

TEST(CanonicalPath, KeepsEmptySegmentsWhenAsked) {
  const auto kept = [](std::string_view raw) {
    return canonical(raw, EncodedSlash::keep, MergeSlashes::no);
  };
  EXPECT_EQ(kept("/a//b"), "/a//b");
  EXPECT_EQ(kept("//"), "//");
  EXPECT_EQ(kept("/a//../b"), "/a/b");
  EXPECT_EQ(kept("/a/.//b"), "/a//b");
  EXPECT_EQ(kept("/a/./b"), "/a/b");
}

TEST(EscapePath, IsWhatNginxWrites) {
  base::Arena arena;
  EXPECT_EQ(escape_path("/plain-._~!$&'()*+,;=:@/x", EncodedSlash::decode, arena),
            "/plain-._~!$&'()*+,;=:@/x");
  EXPECT_EQ(escape_path("/a b?c#d%e\"<>\\^`{|}\x7f\xc3\n", EncodedSlash::decode, arena),
            "/a%20b%3Fc%23d%25e%22%3C%3E%5C%5E%60%7B%7C%7D%7F%C3%0A");
  EXPECT_EQ(escape_args("a&b+c;d=e f", arena), "a%26b%2Bc%3Bd=e%20f");
}

TEST(EscapePath, LeadsBackToTheSamePath) {
  for (const std::string_view raw :
       {"/a%20b", "/a%2Fb", "/a%252Fb", "/a%25252Fb", "/100%25", "/a%252Gb", "/%3f%23", "/a%5cb"}) {
    for (const EncodedSlash slash : {EncodedSlash::keep, EncodedSlash::decode}) {
      base::Arena arena;
      const auto path = canonical_path(raw, slash, MergeSlashes::yes, arena);
      ASSERT_TRUE(path.has_value());
      EXPECT_EQ(canonical(escape_path(*path, slash, arena), slash), *path) << raw;
    }
  }
}

}  // namespace
}  // namespace http
