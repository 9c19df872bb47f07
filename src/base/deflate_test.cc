#include "base/deflate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/gzip.h"

namespace base {
namespace {

std::string text_of(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += "line " + std::to_string(i * i) + "\n";
  text.resize(size);
  return text;
}

std::string deflate_in_pieces(std::string_view text, std::size_t piece, std::size_t room,
                              Deflater::Flush between) {
  Deflater deflater({});
  std::string packed;
  std::string out(room, '\0');
  const auto run = [&](std::string_view input, Deflater::Flush flush) {
    while (true) {
      const auto step = deflater.run(input, out, flush);
      input.remove_prefix(step.taken);
      packed.append(out, 0, step.given);
      if (step.given < room) break;
    }
    EXPECT_TRUE(input.empty());
  };
  for (std::size_t at = 0; at < text.size(); at += piece) run(text.substr(at, piece), between);
  run({}, Deflater::Flush::finish);
  return packed;
}

struct Unpacked {
  std::string text;
  bool broken = false;
  bool complete = false;
};
Unpacked inflate_in_pieces(std::string_view packed, std::size_t piece, std::size_t room) {
  Inflater inflater;
  Unpacked result;
  std::string out(room, '\0');
  for (std::size_t at = 0; at < packed.size(); at += piece) {
    std::string_view input = packed.substr(at, piece);
    while (true) {
      const auto step = inflater.run(input, out);
      input.remove_prefix(step.taken);
      result.text.append(out, 0, step.given);
      if (step.broken) {
        result.broken = true;
        return result;
      }
      if (step.given < room) break;
    }
  }
  result.complete = inflater.complete();
  return result;
}

TEST(Deflate, GivesBackWhatItWasGivenInPiecesOfAnySize) {
  const std::string text = text_of(20'000);
  for (const std::size_t piece : {1UL, 7UL, 4096UL, 100'000UL}) {
    for (const std::size_t room : {1UL, 512UL, 65'536UL}) {
      const auto packed = deflate_in_pieces(text, piece, room, Deflater::Flush::none);
      const auto unpacked = inflate_in_pieces(packed, piece, room);
      EXPECT_EQ(unpacked.text, text) << piece << " " << room;
      EXPECT_TRUE(unpacked.complete);
    }
  }
}

TEST(Deflate, AFlushLetsEverythingBeRead) {
  Deflater deflater({});
  Inflater inflater;
  std::array<char, 512> packed{};
  std::array<char, 512> plain{};
  for (const std::string_view piece : {"one", "two", "three"}) {
    const auto step = deflater.run(piece, packed, Deflater::Flush::sync);
    const auto read = inflater.run({packed.data(), step.given}, plain);
    EXPECT_EQ(std::string_view(plain.data(), read.given), piece);
  }
}

TEST(Inflater, ReadsMembersBehindOneAnother) {
  const std::string packed = gzip("one,", 1) + gzip("", 1) + gzip("two", 9);
  for (const std::size_t piece : {1UL, 5UL, 1000UL}) {
    const auto unpacked = inflate_in_pieces(packed, piece, 2);
    EXPECT_EQ(unpacked.text, "one,two");
    EXPECT_TRUE(unpacked.complete);
  }
}

TEST(Inflater, SaysWhatIsBrokenAndWhatIsMissing) {
  std::string packed = gzip(text_of(1000), 1);
  EXPECT_FALSE(inflate_in_pieces(packed.substr(0, packed.size() - 1), 100, 100).complete);
  EXPECT_FALSE(inflate_in_pieces("", 1, 1).complete);
  EXPECT_TRUE(inflate_in_pieces(packed + "garbage", 7, 100).broken);
  packed[packed.size() - 6] ^= 1;  // the checksum
  EXPECT_TRUE(inflate_in_pieces(packed, 7, 100).broken);
}

TEST(Inflater, GivesNoMoreAtOnceThanThereIsRoomFor) {
  const std::string bomb = gzip(std::string(1'000'000, '\0'), 9);
  Inflater inflater;
  std::array<char, 1024> out{};
  std::string_view input = bomb;
  std::size_t total = 0;
  while (true) {
    const auto step = inflater.run(input, out);
    input.remove_prefix(step.taken);
    total += step.given;
    if (step.given < out.size()) break;
  }
  EXPECT_EQ(total, 1'000'000U);
  EXPECT_TRUE(inflater.complete());
}

}  // namespace
}  // namespace base
