#include "proxy/grpc.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "base/arena.h"

namespace proxy {
namespace {

using namespace std::chrono_literals;

TEST(GrpcTimeout, HasEightDigitsAndAUnit) {
  const std::pair<std::string_view, base::Duration> kGood[] = {
      {"1n", 1ns},  {"20u", 20us}, {"0m", 0ms}, {"99999999m", 99'999'999ms},
      {"007S", 7s}, {"3M", 3min},  {"1H", 1h},
  };
  for (const auto& [text, length] : kGood) EXPECT_EQ(parse_grpc_timeout(text), length) << text;
}

TEST(GrpcTimeout, IsStrict) {
  for (const std::string_view text : {"", "1", "S", "1s", "1 S", " 1S", "1S ", "-1S", "+1S", "1.5S",
                                      "0x1S", "123456789S", "1SS", "1\0S"}) {
    EXPECT_EQ(parse_grpc_timeout(text), std::nullopt) << text;
  }
}

TEST(GrpcTimeout, IsBounded) {
  EXPECT_EQ(parse_grpc_timeout("99999999H"), kLongestGrpcTimeout);
  EXPECT_EQ(parse_grpc_timeout("99999999M"), kLongestGrpcTimeout);
}

TEST(GrpcTimeout, IsWrittenInTheFinestUnitThatHasRoom) {
  base::Arena arena;
  EXPECT_EQ(format_grpc_timeout(-5s, arena), "1n");
  EXPECT_EQ(format_grpc_timeout(1ns, arena), "1n");
  EXPECT_EQ(format_grpc_timeout(99'999'999ns, arena), "99999999n");
  EXPECT_EQ(format_grpc_timeout(100'000'001ns, arena), "100001u");
  EXPECT_EQ(format_grpc_timeout(10s, arena), "10000000u");
  EXPECT_EQ(format_grpc_timeout(200s, arena), "200000m");
  EXPECT_EQ(format_grpc_timeout(kLongestGrpcTimeout, arena), "36000000S");
  for (const base::Duration length : {1ns, base::Duration(1h), base::Duration(123'456'789us)}) {
    const auto back = parse_grpc_timeout(format_grpc_timeout(length, arena));
    ASSERT_TRUE(back);
    EXPECT_GE(*back, length);
    EXPECT_LE(*back, length + length / 1000);
  }
}

TEST(GrpcStatus, IsGrpcsTranslationOfHttps) {
  const std::pair<unsigned, int> kCodes[] = {
      {400, 13}, {401, 16}, {403, 7},  {404, 12}, {413, 2},
      {429, 14}, {500, 2},  {502, 14}, {503, 14}, {504, 14},
  };
  for (const auto& [http, code] : kCodes) {
    EXPECT_EQ(std::to_underlying(grpc_status_of(http)), code) << http;
  }
}

}  // namespace
}  // namespace proxy
