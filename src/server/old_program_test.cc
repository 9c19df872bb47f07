#include "server/old_program.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace server {
namespace {

using State = OldProgram::State;

OldProgram program(State state, std::optional<std::uint64_t> connections = std::nullopt) {
  return {.pid = 7, .state = state, .connections = connections};
}

TEST(OldProgram, IsReadAsItWasWritten) {
  for (const OldProgram& each : {program(State::active), program(State::draining, 12),
                                 program(State::draining), program(State::idle)}) {
    EXPECT_EQ(read_packet(packet_of(each), 7), each);
  }
  EXPECT_EQ(packet_of(program(State::draining, 12)), "draining 12");
}

TEST(OldProgram, OfAnotherVersionIsUnderstoodAsFarAsItCanBe) {
  EXPECT_EQ(read_packet("draining 3 since=yesterday", 7), program(State::draining, 3));
  EXPECT_EQ(read_packet("draining many", 7), program(State::draining));
  EXPECT_EQ(read_packet("sleeping", 7), std::nullopt);
  EXPECT_EQ(read_packet("", 7), std::nullopt);
}

TEST(OldProgramLink, TellsOfEachChangeUntilTheEnd) {
  auto made = NewBinaryLink::make();
  ASSERT_TRUE(made);
  OldProgramLink link(std::move(made->second), 7);
  EXPECT_FALSE(link.take());
  EXPECT_EQ(link.facts(), std::nullopt);
  made->first.tell(program(State::active));
  EXPECT_TRUE(link.take());
  EXPECT_EQ(link.facts(), program(State::active));
  made->first.tell(program(State::draining, 2));
  made->first.tell(program(State::draining, 1));
  EXPECT_TRUE(link.take());
  EXPECT_EQ(link.facts(), program(State::draining, 1));
  EXPECT_FALSE(link.take());
  EXPECT_GE(link.descriptor(), 0);
  made->first = NewBinaryLink();
  EXPECT_TRUE(link.take());
  EXPECT_EQ(link.facts(), std::nullopt);
  EXPECT_EQ(link.descriptor(), -1);
  EXPECT_FALSE(link.take());
}

TEST(OldProgramLink, IgnoresWhatItDoesNotKnow) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends.data()), 0);
  const base::Fd writer(ends[0]);
  OldProgramLink link(base::Fd(ends[1]), 7);
  for (const std::string_view packet : {"idle", "asleep 3"}) {
    ASSERT_EQ(::send(writer.get(), packet.data(), packet.size(), 0), packet.size());
  }
  EXPECT_TRUE(link.take());
  EXPECT_EQ(link.facts(), program(State::idle));
}

TEST(NewBinaryLink, DoesNotWaitForOneThatDoesNotRead) {
  auto made = NewBinaryLink::make();
  ASSERT_TRUE(made);
  for (std::uint64_t i = 0; i < 10'000; ++i) made->first.tell(program(State::draining, i));
  OldProgramLink link(std::move(made->second), 7);
  EXPECT_TRUE(link.take());
  made->first.tell(program(State::idle));
  EXPECT_TRUE(link.take());
  EXPECT_EQ(link.facts(), program(State::idle));
}

TEST(NewBinaryLink, SurvivesTheEndOfTheOther) {
  auto made = NewBinaryLink::make();
  ASSERT_TRUE(made);
  made->second.close();
  made->first.tell(program(State::active));
  EXPECT_TRUE(made->first.is_open());
}

}  // namespace
}  // namespace server
