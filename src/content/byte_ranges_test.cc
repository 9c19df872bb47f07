#include "content/byte_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace content {
namespace {

using Kind = ByteRanges::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ByteRangesOf100 : public ::testing::Test {
 protected:
  ByteRanges parse(std::string_view field, std::uint64_t length = 100, std::uint64_t most = 5) {
    return parse_byte_ranges(field, length, most, arena);
  }
  std::vector<ByteRange> parts(std::string_view field) {
    const ByteRanges ranges = parse(field);
    EXPECT_EQ(ranges.kind, Kind::parts) << field;
    return {ranges.parts.begin(), ranges.parts.end()};
  }
  base::Arena arena;
};

TEST_F(ByteRangesOf100, AreTakenInTheirOrder) {
  EXPECT_THAT(parts("bytes=0-9"), ElementsAre(ByteRange{0, 10}));
  EXPECT_THAT(parts("bytes=90-"), ElementsAre(ByteRange{90, 100}));
  EXPECT_THAT(parts("bytes=-5"), ElementsAre(ByteRange{95, 100}));
  EXPECT_THAT(parts("bytes=20-29,0-0,-1"),
              ElementsAre(ByteRange{20, 30}, ByteRange{0, 1}, ByteRange{99, 100}));
  EXPECT_THAT(parts("BYTES= 1 - 2 , 4-5"), ElementsAre(ByteRange{1, 3}, ByteRange{4, 6}));
}

TEST_F(ByteRangesOf100, EndWithTheBody) {
  EXPECT_THAT(parts("bytes=0-1000"), ElementsAre(ByteRange{0, 100}));
  EXPECT_THAT(parts("bytes=99-99"), ElementsAre(ByteRange{99, 100}));
  EXPECT_THAT(parts("bytes=-1000"), ElementsAre(ByteRange{0, 100}));
  EXPECT_THAT(parts("bytes=0-9223372036854775807"), ElementsAre(ByteRange{0, 100}));
}

TEST_F(ByteRangesOf100, ThoseBehindTheEndAreLeftOut) {
  EXPECT_THAT(parts("bytes=100-,5-6,200-300"), ElementsAre(ByteRange{5, 7}));
  for (const std::string_view none : {"bytes=100-", "bytes=100-200", "bytes=-0", "bytes=9-5"}) {
    EXPECT_EQ(parse(none).kind, Kind::unsatisfiable) << none;
  }
}

TEST_F(ByteRangesOf100, TextThatIsNoListIsUnsatisfiable) {
  for (const std::string_view text :
       {"bytes=x", "bytes=1", "bytes=-", "bytes=--5", "bytes=1-2-3", "bytes=1-2;", "bytes=0-9,",
        "bytes=,0-9", "bytes=0x1-2", "bytes=+1-2", "bytes=1-2 3", "bytes=9223372036854775808-",
        "bytes=0-99999999999999999999999"}) {
    EXPECT_EQ(parse(text).kind, Kind::unsatisfiable) << text;
  }
}

TEST_F(ByteRangesOf100, OtherUnitsAreTheWhole) {
  for (const std::string_view text : {"", "bytes", "bytes=", "lines=1-2", "bytes =0-1"}) {
    EXPECT_EQ(parse(text).kind, Kind::whole) << text;
  }
}

TEST_F(ByteRangesOf100, MoreBytesThanThereAreAreTheWhole) {
  EXPECT_EQ(parse("bytes=0-,0-").kind, Kind::whole);
  EXPECT_EQ(parse("bytes=0-50,50-99").kind, Kind::whole);
  EXPECT_THAT(parts("bytes=0-49,50-99"), ElementsAre(ByteRange{0, 50}, ByteRange{50, 100}));
}

TEST_F(ByteRangesOf100, TooManyAreTheWhole) {
  EXPECT_FALSE(parse("bytes=0-0,2-2,4-4,6-6,8-8").too_many);
  const ByteRanges many = parse("bytes=0-0,2-2,4-4,6-6,8-8,10-10");
  EXPECT_EQ(many.kind, Kind::whole);
  EXPECT_TRUE(many.too_many);
  EXPECT_EQ(parse("bytes=0-0", 100, 0).kind, Kind::whole) << "none are served";
  EXPECT_FALSE(parse("bytes=100-,101-,102-,103-,104-,105-,1-1").too_many) << "these cost nothing";
}

TEST_F(ByteRangesOf100, AnEmptyBodyHasNone) {
  EXPECT_EQ(parse("bytes=0-", 0).kind, Kind::whole);
  EXPECT_EQ(parse("bytes=0-5", 0).kind, Kind::whole);
  EXPECT_EQ(parse("bytes=-5", 0).kind, Kind::whole);
  EXPECT_EQ(parse("bytes=1-", 0).kind, Kind::unsatisfiable);
}

}  // namespace
}  // namespace content
