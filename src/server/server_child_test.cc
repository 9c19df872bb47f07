#include "server/server_child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

namespace server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

base::TimePoint now() { return std::chrono::steady_clock::now(); }

/// A process that only waits, and the other end of its channel in our hand.
class ServerChildTest : public ::testing::Test {
 protected:
  ServerChildTest() {
    const pid_t pid = ::fork();  // before the channel, of which it has nothing then
    if (pid == 0) {
      while (true) ::pause();
    }
    auto [ours, its] = *Channel::make_pair();
    server.emplace(std::move(its));
    child = ServerChild::adopt(pid, std::move(ours));
  }
  ~ServerChildTest() override {
    if (child == nullptr) return;
    child->kill();
    ::waitpid(child->pid(), nullptr, 0);
  }

  /// What the server process is told next.
  Message heard() { return server->receive(kConfigureLimits, now() + 20s).value(); }
  MessageType heard_type() { return static_cast<MessageType>(heard().type); }
  bool heard_anything() { return server->receive(kConfigureLimits, now()).has_value(); }
  void say(const Answer& answer) { ASSERT_TRUE(send_answer(*server, answer, now() + 20s)); }
  /// The signal that ended it.
  int end_of_process() {
    int status = 0;
    EXPECT_EQ(::waitpid(child->pid(), &status, 0), child->pid());
    child.reset();
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

  std::optional<Channel> server;
  std::unique_ptr<ServerChild> child;
};

TEST_F(ServerChildTest, TellsItHowToEndAndThenHasNothingToWaitFor) {
  EXPECT_FALSE(child->ending_since());
  child->end(MessageType::retire);
  EXPECT_EQ(heard_type(), MessageType::retire);
  EXPECT_TRUE(child->ending_since());
  EXPECT_EQ(child->due(), base::kNoDeadline);
  EXPECT_THAT(child->on_time(now() + 24h), IsEmpty());
}

TEST_F(ServerChildTest, EndsItsConnectionsWhenPatienceIsOverAndKillsItWhenItDoesNotEnd) {
  child->end(MessageType::quit, 10s);
  EXPECT_EQ(heard_type(), MessageType::quit);
  EXPECT_THAT(child->on_time(now() + 9s), IsEmpty());
  EXPECT_LE(child->due(), now() + 10s);
  EXPECT_THAT(child->on_time(now() + 11s), HasSubstr("still has connections"));
  EXPECT_EQ(heard_type(), MessageType::terminate);
  EXPECT_THAT(child->on_time(now() + 1s), IsEmpty());
  EXPECT_THAT(child->on_time(now() + 6s), HasSubstr("does not end, killing it"));
  EXPECT_EQ(end_of_process(), SIGKILL);
}

TEST_F(ServerChildTest, IsKilledSoonWhenItCannotBeTold) {
  server.reset();
  child->end(MessageType::quit);
  EXPECT_LE(child->due(), now() + 5s);
  EXPECT_THAT(child->on_time(now() + 6s), HasSubstr("killing it"));
  EXPECT_EQ(end_of_process(), SIGKILL);
}

TEST_F(ServerChildTest, GivesItsAnswers) {
  say({.type = MessageType::ready, .generation = 7});
  say({.type = MessageType::rejected, .generation = 8, .text = "why"});
  EXPECT_EQ(child->receive()->generation, 7U);
  const auto rejected = child->receive();
  ASSERT_TRUE(rejected);
  EXPECT_EQ(rejected->type, MessageType::rejected);
  EXPECT_EQ(rejected->text, "why");
  EXPECT_EQ(child->connections(), std::nullopt);
  say({.type = MessageType::draining, .connections = 12});
  EXPECT_TRUE(child->receive());
  EXPECT_EQ(child->connections(), 12U);
}

TEST_F(ServerChildTest, IsNotListenedToAnyMoreOnceItBreaksTheProtocol) {
  ASSERT_TRUE(
      server->send(static_cast<std::uint32_t>(MessageType::configure), "", {}, now() + 20s));
  const auto answer = child->receive();
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(base::ErrorCode::protocol));
  EXPECT_EQ(child->descriptor(), -1);
  EXPECT_LE(child->due(), now() + 5s);
  EXPECT_FALSE(child->configure({}));
  child->inform({});  // nothing happens
  child->ask();
}

TEST_F(ServerChildTest, AnEndOfItsChannelMeansThatItIsDying) {
  server.reset();
  const auto answer = child->receive();
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(base::ErrorCode::end_of_stream));
}

TEST_F(ServerChildTest, IsToldOneNewsAtATimeAndTheNewestNext) {
  const auto facts = [](pid_t pid) {
    return InstanceFacts{.draining = {{.pid = pid, .since = {}}}};
  };
  const auto heard_pid = [this] { return decode_facts(heard())->draining.front().pid; };
  child->inform(facts(1));
  child->inform(facts(2));
  child->inform(facts(3));
  EXPECT_EQ(heard_pid(), 1);
  EXPECT_FALSE(heard_anything());
  say({.type = MessageType::informed});
  EXPECT_TRUE(child->receive());
  EXPECT_EQ(heard_pid(), 3);
  say({.type = MessageType::informed});
  EXPECT_TRUE(child->receive());
  EXPECT_FALSE(heard_anything());
  child->inform(facts(4));
  EXPECT_EQ(heard_pid(), 4);
}

TEST_F(ServerChildTest, IsSentItsConfiguration) {
  Configure first;
  first.generation = 5;
  ASSERT_TRUE(child->configure(first));
  const auto configure = decode_configure(heard());
  ASSERT_TRUE(configure);
  EXPECT_EQ(configure->generation, 5U);
}

}  // namespace
}  // namespace server
