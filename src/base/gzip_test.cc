#include "base/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace base {
namespace {

/// All members of `packed`, one after another.
std::string unpack(std::string packed) {
  std::string text(1 << 20, '\0');
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  while (stream.avail_in > 0) {
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END) << "a member is not complete";
    if (stream.avail_in > 0) EXPECT_EQ(inflateReset(&stream), Z_OK);
  }
  text.resize(static_cast<std::size_t>(reinterpret_cast<char*>(stream.next_out) - text.data()));
  inflateEnd(&stream);
  return text;
}

TEST(Gzip, MakesMembersThatCanFollowOneAnother) {
  const std::string first = gzip("one\n", 1);
  const std::string second = gzip(std::string(300'000, 'x'), 9);
  EXPECT_LT(second.size(), 3000U);
  EXPECT_EQ(unpack(first + second), "one\n" + std::string(300'000, 'x'));
}

TEST(Gzip, HoldsWhatCannotBeCompressed) {
  std::string noise;
  unsigned state = 7;
  for (int i = 0; i < 100'000; ++i)
    noise += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  EXPECT_EQ(unpack(gzip(noise, 1)), noise);
  EXPECT_EQ(unpack(gzip("", 1)), "");
}

}  // namespace
}  // namespace base
