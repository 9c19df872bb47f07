#include "content/preconditions.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace content {
namespace {

using enum Precondition;

constexpr std::string_view kDate = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr std::string_view kEarlier = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr std::string_view kLater = "Sun, 06 Nov 1994 08:49:38 GMT";

class Preconditions : public ::testing::Test {
 protected:
  using Given = std::vector<std::pair<std::string_view, std::string_view>>;
  http::Fields& with(const Given& given) {
    fields.clear();
    for (const auto& [name, value] : given) EXPECT_TRUE(fields.add(name, value));
    return fields;
  }
  Precondition check(const Given& given) { return check_preconditions(with(given), file); }

  base::Arena arena;
  http::Fields fields{arena};
  Validators file{.modified = 784111777, .etag = make_etag(784111777, 100, arena)};
};

TEST_F(Preconditions, TheTagIsNginxs) {
  EXPECT_EQ(file.etag, "\"2ebc98a1-64\"");
  EXPECT_EQ(make_etag(0, 0, arena), "\"0-0\"");
}

TEST_F(Preconditions, NoneHold) { EXPECT_EQ(check({}), holds); }

TEST_F(Preconditions, AnExactDateIsNotModified) {
  EXPECT_EQ(check({{"If-Modified-Since", kDate}}), not_modified);
  EXPECT_EQ(check({{"If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT"}}), not_modified);
  EXPECT_EQ(check({{"If-Modified-Since", kEarlier}}), holds);
  EXPECT_EQ(check({{"If-Modified-Since", kLater}}), holds) << "a date that no server gave";
  EXPECT_EQ(check({{"If-Modified-Since", "yesterday"}}), holds);
}

TEST_F(Preconditions, ATagThatIsNamedIsNotModified) {
  EXPECT_EQ(check({{"If-None-Match", "\"2ebc98a1-64\""}}), not_modified);
  EXPECT_EQ(check({{"If-None-Match", "W/\"2ebc98a1-64\""}}), not_modified);
  EXPECT_EQ(check({{"If-None-Match", "\"a\", W/\"b\" , \"2ebc98a1-64\" ,\"c\""}}), not_modified);
  EXPECT_EQ(check({{"If-None-Match", "*"}}), not_modified);
  EXPECT_EQ(check({{"If-None-Match", "\"a\""}, {"If-None-Match", "\"2ebc98a1-64\""}}),
            not_modified);
  for (const std::string_view other :
       {"", "\"\"", "2ebc98a1-64", "\"2ebc98a1-6\"", "\"2ebc98a1-64", "w/\"2ebc98a1-64\"",
        "\"a,\"2ebc98a1-64\"", ",,,", "\"2ebc98a1-64\" x"}) {
    EXPECT_EQ(check({{"If-None-Match", other}}), holds) << other;
  }
}

TEST_F(Preconditions, ADateAndATagMustBothAgree) {
  EXPECT_EQ(check({{"If-Modified-Since", kDate}, {"If-None-Match", file.etag}}), not_modified);
  EXPECT_EQ(check({{"If-Modified-Since", kDate}, {"If-None-Match", "\"x\""}}), holds);
  EXPECT_EQ(check({{"If-Modified-Since", kEarlier}, {"If-None-Match", file.etag}}), holds);
}

TEST_F(Preconditions, IfMatchComparesStrongly) {
  EXPECT_EQ(check({{"If-Match", file.etag}}), holds);
  EXPECT_EQ(check({{"If-Match", "*"}}), holds);
  EXPECT_EQ(check({{"If-Match", "W/\"2ebc98a1-64\""}}), failed);
  EXPECT_EQ(check({{"If-Match", "\"x\""}}), failed);
}

TEST_F(Preconditions, IfUnmodifiedSinceFailsForAnOlderDate) {
  EXPECT_EQ(check({{"If-Unmodified-Since", kDate}}), holds);
  EXPECT_EQ(check({{"If-Unmodified-Since", kLater}}), holds);
  EXPECT_EQ(check({{"If-Unmodified-Since", kEarlier}}), failed);
  EXPECT_EQ(check({{"If-Unmodified-Since", "never"}}), failed);
  EXPECT_EQ(check({{"If-Unmodified-Since", kEarlier}, {"If-None-Match", "*"}}), failed);
}

TEST_F(Preconditions, ARangeIsOfTheVersionThatIfRangeNames) {
  EXPECT_TRUE(allows_range(with({}), file));
  EXPECT_TRUE(allows_range(with({{"If-Range", file.etag}}), file));
  EXPECT_TRUE(allows_range(with({{"If-Range", kDate}}), file));
  for (const std::string_view other :
       {"\"x\"", "W/\"2ebc98a1-64\"", "*", "", "\"", "2ebc98a1-64"}) {
    EXPECT_FALSE(allows_range(with({{"If-Range", other}}), file)) << other;
  }
  EXPECT_FALSE(allows_range(with({{"If-Range", kLater}}), file));
}

}  // namespace
}  // namespace content
