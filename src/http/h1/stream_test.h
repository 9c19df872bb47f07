// What the tests of the classes on streams share: a loop, a pipe, and tasks run to where they wait.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "async/scope.h"
#include "base/arena.h"
#include "io/testing/fake_clock.h"
#include "io/testing/pipe.h"

namespace http::h1 {

/// Counts the writes that took bytes: each is a system call on a socket.
class CountingStream final : public io::Stream {
 public:
  explicit CountingStream(std::unique_ptr<io::Stream> inner) noexcept : inner_(std::move(inner)) {}
  int writes = 0;

  base::Result<std::size_t> try_read(std::span<char> into) noexcept override {
    return inner_->try_read(into);
  }
  base::Result<std::size_t> try_write(std::span<const iovec> pieces) noexcept override {
    const auto written = inner_->try_write(pieces);
    if (written) ++writes;
    return written;
  }
  bool sends_files() const noexcept override { return inner_->sends_files(); }
  base::Result<std::size_t> try_send_file(const io::FileBytes& bytes) noexcept override {
    return inner_->try_send_file(bytes);
  }
  bool may_be_ready(io::Direction direction) const noexcept override {
    return inner_->may_be_ready(direction);
  }
  void set_waiter(io::Direction direction, io::Waiter* waiter) noexcept override {
    inner_->set_waiter(direction, waiter);
  }
  void shutdown_write() noexcept override { inner_->shutdown_write(); }
  void abort() noexcept override { inner_->abort(); }
  io::EventLoop& loop() const noexcept override { return inner_->loop(); }

 private:
  std::unique_ptr<io::Stream> inner_;
};

/// `stream` is what the tested class has; the other end is the test's.
struct StreamWorld {
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  base::Arena arena;
  async::Scope scope;
  std::unique_ptr<CountingStream> stream;
  std::unique_ptr<io::Stream> peer;

  explicit StreamWorld(io::testing::PipeOptions options = {}) {
    auto [ours, theirs] = io::testing::make_pipe(loop, options);
    stream = std::make_unique<CountingStream>(std::move(ours));
    peer = std::move(theirs);
  }
  ~StreamWorld() {
    scope.request_stop();
    loop.run_until_idle();
  }

  template <class T>
  static async::Task<void> keep(async::Task<T> task, std::optional<T>* into) {
    into->emplace(co_await std::move(task));
  }
  /// The result, or nothing if the task waits (it then goes on with the next `run` or `say`, and
  /// `into` must live on).
  template <class T>
  void start(async::Task<T> task, std::optional<T>& into) {
    scope.spawn(keep(std::move(task), &into));
    loop.run_until_idle();
  }
  /// The result of a task that does not wait for the test.
  template <class T>
  T run(async::Task<T> task) {
    std::optional<T> result;
    start(std::move(task), result);
    CHECK(result.has_value());
    return *std::move(result);
  }
  void say(std::string_view text) {
    while (!text.empty()) {
      const iovec piece = io::piece_of(text);
      text.remove_prefix(peer->try_write({&piece, 1}).value_or(0));
      loop.run_until_idle();
    }
  }
  std::string heard() {
    std::string all;
    std::array<char, 1024> room{};
    while (true) {
      const auto count = peer->try_read(room);
      if (!count || *count == 0) return all;
      all.append(room.data(), *count);
      loop.run_until_idle();
    }
  }
};

}  // namespace http::h1
