#include "server/succession.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace server {
namespace {

using base::ErrorCode;

base::Fd a_file() { return base::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST(Succession, WhatIsGivenIsTakenOneByOneAndCloseOnExec) {
  const Succession pair = *Succession::make();
  EXPECT_EQ(give(pair.giver.get(), a_file().get()), Given::yes);
  EXPECT_EQ(give(pair.giver.get(), a_file().get()), Given::yes);
  for (int i = 0; i < 2; ++i) {
    const auto taken = take(pair.taker.get());
    ASSERT_TRUE(taken);
    ASSERT_TRUE(*taken);
    EXPECT_EQ(::fcntl(taken->get(), F_GETFD), FD_CLOEXEC);
  }
  EXPECT_TRUE(take(pair.taker.get()).error().is(ErrorCode::would_block));
}

TEST(Succession, WaitsForWhoeverTakesUntilThereAreMany) {
  const Succession pair = *Succession::make();
  const base::Fd file = a_file();
  int count = 0;
  Given given = Given::yes;
  while ((given = give(pair.giver.get(), file.get())) == Given::yes) ++count;
  EXPECT_EQ(given, Given::later);
  EXPECT_GE(count, 64);
  while (take(pair.taker.get())) --count;
  EXPECT_EQ(count, 0);
  EXPECT_EQ(give(pair.giver.get(), file.get()), Given::yes);
}

TEST(Succession, WhenNobodyCanTakeNothingIsGiven) {
  Succession pair = *Succession::make();
  const base::Fd another = pair.taker.duplicate();
  pair.taker.close();
  EXPECT_EQ(give(pair.giver.get(), a_file().get()), Given::yes);
  EXPECT_TRUE(take(another.get()));
  pair.taker = another.duplicate();
  pair.giver.close();
  EXPECT_TRUE(take(another.get()).error().is(ErrorCode::end_of_stream));
}

TEST(Succession, APacketWithoutADescriptorIsSkipped) {
  const Succession pair = *Succession::make();
  ASSERT_EQ(::send(pair.giver.get(), "CCCC", 4, 0), 4);
  const auto taken = take(pair.taker.get());
  ASSERT_TRUE(taken);
  EXPECT_FALSE(*taken);
}

TEST(Succession, KnowsTheWildcardAddressThatAConnectionMayHaveComeInAt) {
  const auto ip = [](std::string_view text, std::uint16_t port) {
    return *base::Address::from_ip(text, port);
  };
  EXPECT_EQ(wildcard_of(ip("127.0.0.1", 80)), ip("0.0.0.0", 80));
  EXPECT_EQ(wildcard_of(ip("::ffff:127.0.0.1", 443)), ip("::", 443));
  EXPECT_EQ(wildcard_of(*base::Address::from_path("/run/a")), base::Address());
  EXPECT_EQ(wildcard_of({}), base::Address());
}

}  // namespace
}  // namespace server
