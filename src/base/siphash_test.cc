#include "base/siphash.h"

#include <gtest/gtest.h>

#include <string>

namespace base {
namespace {

// The reference implementation's vectors: the key is 00 01 ... 0f, the text 00 01 02 ...
constexpr SipKey kKey{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

std::string count_to(int size) {
  std::string text;
  for (int i = 0; i < size; ++i) text += static_cast<char>(i);
  return text;
}

TEST(SipHash, GivesTheReferencesVectors) {
  EXPECT_EQ(siphash128(kKey, count_to(0)),
            (Hash128{.low = 0xe6a825ba047f81a3U, .high = 0x930255c71472f66dU}));
  EXPECT_EQ(siphash128(kKey, count_to(1)),
            (Hash128{.low = 0x44af996bd8c187daU, .high = 0x45fc229b11597634U}));
}

TEST(SipHash, DependsOnEachByteTheSizeAndTheKey) {
  const Hash128 hash = siphash128(kKey, count_to(19));
  for (std::size_t i = 0; i < 19; ++i) {
    std::string other = count_to(19);
    other[i] = 'x';
    EXPECT_NE(siphash128(kKey, other), hash) << i;
  }
  EXPECT_NE(siphash128(kKey, count_to(19) + '\0'), hash);
  EXPECT_NE(siphash128({kKey[0], kKey[1] + 1}, count_to(19)), hash);
}

}  // namespace
}  // namespace base
