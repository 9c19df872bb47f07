#include <gtest/gtest.h>

#include <vector>

#include "async/channel.h"
#include "async/executor.h"
#include "async/scope.h"
#include "async/task.h"

namespace async {
namespace {

Task<int> three() { co_return 3; }
Task<int> sum(int times) {
  int total = 0;
  for (int i = 0; i < times; ++i) total += co_await three();
  co_return total;
}
Task<void> store(Task<int> task, int* into) { *into = co_await std::move(task); }

TEST(Task, AwaitsAMillionChildrenWithoutGrowingTheStack) {
  Executor executor;
  const Executor::Use use(executor);
  Scope scope;
  int total = 0;
  scope.spawn(store(sum(1'000'000), &total));
  EXPECT_EQ(total, 3'000'000);
}

Task<void> receive_all(Channel<int>& channel, std::vector<int>& into) {
  while (true) {
    if (!co_await channel.arrival()) co_return;
    auto value = channel.try_receive();
    if (!value) co_return;
    into.push_back(*value);
  }
}
Task<void> send_all(Channel<int>& channel, int count) {
  for (int i = 0; i < count; ++i) {
    int value = i;
    while (!channel.try_send(value)) {
      if (!co_await channel.room()) co_return;
    }
  }
  channel.close();
}

TEST(Channel, MakesTheSenderWaitForRoomAndKeepsTheOrder) {
  Executor executor;
  const Executor::Use use(executor);
  Channel<int> channel(2);
  std::vector<int> received;
  Scope scope;
  scope.spawn(send_all(channel, 100));
  scope.spawn(receive_all(channel, received));
  executor.run();
  EXPECT_EQ(scope.running(), 0U);
  ASSERT_EQ(received.size(), 100U);
  EXPECT_EQ(received.back(), 99);
}

TEST(Scope, StopsWhatIsPendingInItAndInItsChildren) {
  Executor executor;
  const Executor::Use use(executor);
  Channel<int> channel(1);
  std::vector<int> received;
  Scope parent;
  Scope child(&parent);
  child.spawn(receive_all(channel, received));
  EXPECT_EQ(child.running(), 1U);
  parent.request_stop();
  executor.run();
  EXPECT_EQ(child.running(), 0U);
}

TEST(Scope, DrainLeavesBusyOperationsAlone) {
  Executor executor;
  const Executor::Use use(executor);
  Channel<int> channel(1);
  std::vector<int> received;
  Scope scope;
  scope.spawn(receive_all(channel, received));
  scope.request_drain();
  executor.run();
  EXPECT_EQ(scope.running(), 1U);
  channel.close();
  executor.run();
  EXPECT_EQ(scope.running(), 0U);
}

/// Waits in idleness until it is told to give up.
struct Idle final : Cancellable {
  explicit Idle(std::vector<int>& into, int number) : ended(into), name(number) {}
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    handle = self;
    return self.promise().scope->enlist(*this, Scope::Waiting::idle);
  }
  void await_resume() { ended.push_back(name); }
  void cancel() noexcept override { Executor::current().post(handle); }
  std::vector<int>& ended;
  int name;
  std::coroutine_handle<> handle;
};
Task<void> idle(std::vector<int>& ended, int name) { co_await Idle(ended, name); }

TEST(Scope, DrainsTheOneThatHasBeenIdleLongest) {
  Executor executor;
  const Executor::Use use(executor);
  std::vector<int> ended;
  Scope scope;
  EXPECT_FALSE(scope.request_drain_of_oldest());
  for (int name = 1; name <= 3; ++name) scope.spawn(idle(ended, name));
  EXPECT_TRUE(scope.request_drain_of_oldest());
  EXPECT_TRUE(scope.request_drain_of_oldest());
  executor.run();
  EXPECT_EQ(ended, (std::vector<int>{1, 2}));
  EXPECT_FALSE(scope.draining());
  scope.request_drain();
  executor.run();
  EXPECT_EQ(scope.running(), 0U);
}

Task<void> join_then_mark(Scope& scope, bool* joined) {
  co_await scope.join();
  *joined = true;
}

TEST(Scope, JoinWaitsForTheLastTask) {
  Executor executor;
  const Executor::Use use(executor);
  Channel<int> channel(1);
  std::vector<int> received;
  Scope outer;
  Scope inner(&outer);
  inner.spawn(receive_all(channel, received));
  bool joined = false;
  outer.spawn(join_then_mark(inner, &joined));
  executor.run();
  EXPECT_FALSE(joined);
  channel.close();
  executor.run();
  EXPECT_TRUE(joined);
}

}  // namespace
}  // namespace async
