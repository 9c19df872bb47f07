// PipeWorld: what tests of connections share: a loop, a clock of the test's, a pipe whose one end
// is the tested class's and whose other end is the test's, and tasks run to where they wait.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "async/scope.h"
#include "base/arena.h"
#include "base/check.h"
#include "io/testing/fake_clock.h"
#include "io/testing/pipe.h"

namespace io::testing {

/// Counts the writes that took bytes, since each is a system call on a socket, and bytes read.
class CountingStream final : public Stream {
 public:
  explicit CountingStream(std::unique_ptr<Stream> inner) noexcept : inner_(std::move(inner)) {}
  int writes = 0;
  std::size_t read = 0;

  base::Result<std::size_t> try_read(std::span<char> into) noexcept override {
    const auto count = inner_->try_read(into);
    read += count.value_or(0);
    return count;
  }
  base::Result<std::size_t> try_write(std::span<const iovec> pieces) noexcept override {
    const auto written = inner_->try_write(pieces);
    if (written) ++writes;
    return written;
  }
  bool sends_files() const noexcept override { return inner_->sends_files(); }
  base::Result<std::size_t> try_send_file(const FileBytes& bytes) noexcept override {
    return inner_->try_send_file(bytes);
  }
  bool may_be_ready(Direction direction) const noexcept override {
    return inner_->may_be_ready(direction);
  }
  void set_waiter(Direction direction, Waiter* waiter) noexcept override {
    inner_->set_waiter(direction, waiter);
  }
  void shutdown_write() noexcept override { inner_->shutdown_write(); }
  void abort() noexcept override { inner_->abort(); }
  EventLoop& loop() const noexcept override { return inner_->loop(); }

 private:
  std::unique_ptr<Stream> inner_;
};

/// `stream` is what the tested class has; `peer`, the other end, is the test's.
struct PipeWorld {
  FakeClock clock;
  EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  base::Arena arena;
  async::Scope scope;
  std::unique_ptr<CountingStream> stream;
  std::unique_ptr<Stream> peer;

  explicit PipeWorld(PipeOptions options = {}) {
    auto [ours, theirs] = make_pipe(loop, options);
    stream = std::make_unique<CountingStream>(std::move(ours));
    peer = std::move(theirs);
  }
  PipeWorld(const PipeWorld&) = delete;
  PipeWorld& operator=(const PipeWorld&) = delete;
  ~PipeWorld() { stop(); }
  /// Ends all tasks: for what is derived, whose members they use.
  void stop() {
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
  /// Until all is taken, or nobody takes it any more.
  void say(std::string_view text) {
    while (!text.empty()) {
      const iovec piece = piece_of(text);
      const auto count = peer->try_write({&piece, 1});
      if (!count || *count == 0) return;
      text.remove_prefix(*count);
      loop.run_until_idle();
    }
  }
  /// What has arrived since the last call.
  std::string heard_bytes() {
    std::string all;
    std::array<char, 4096> room{};
    loop.run_until_idle();
    while (true) {
      const auto count = peer->try_read(room);
      if (!count || *count == 0) return all;
      all.append(room.data(), *count);
      loop.run_until_idle();
    }
  }
  void pass(base::Duration time) {
    clock.advance(time);
    loop.run_until_idle();
    loop.run_until_idle();
  }
};

}  // namespace io::testing
