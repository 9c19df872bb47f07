// Stream: bytes both ways. TCP, Unix sockets, TLS and the test pipe are the same to whoever uses
// them.
//
// The interface is two non-blocking attempts and one waiter per direction; the operations that
// coroutines await (read, write_all, ready) are made of these, for every kind of stream, without a
// coroutine frame of their own:
//
//   CO_TRY(auto n, co_await read(stream, buffer, deadline));        // 0: the peer ended its side
//   CO_TRY_VOID(co_await write_all(stream, pieces, deadline));
//   CO_TRY_VOID(co_await ready(stream, Direction::read, deadline, Waiting::idle));
//
// Each completes with Error timed_out at its deadline and Error cancelled when its Scope is
// stopped. Attempts are made before anything waits: on a busy connection nothing suspends. At most
// one reader and one writer wait on a stream at a time. A stream lives longer than them.
#pragma once

#include <sys/uio.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "async/executor.h"
#include "async/scope.h"
#include "base/clock.h"
#include "base/result.h"
#include "io/event_loop.h"
#include "io/patience.h"
#include "io/timers.h"

namespace io {

enum class Direction : std::uint8_t { read, write };
using Waiting = async::Scope::Waiting;

/// Is told that an attempt may now succeed; may be told in vain.
class Waiter {
 public:
  virtual void on_ready() noexcept = 0;

 protected:
  ~Waiter() = default;
};

/// Bytes of a regular file.
struct FileBytes {
  int file = -1;
  std::uint64_t offset = 0;
  std::uint64_t count = 0;
};

class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  /// Bytes put into `into` (> 0 for a non-empty span), 0 at the end of the stream, or an Error:
  /// would_block when there is nothing now, reset, tls, ...
  [[nodiscard]] virtual base::Result<std::size_t> try_read(std::span<char> into) noexcept = 0;

  /// Bytes taken from the front of `pieces`, in order; would_block when none could be.
  [[nodiscard]] virtual base::Result<std::size_t> try_write(
      std::span<const iovec> pieces) noexcept = 0;

  /// Whether this stream takes bytes of files without their being read into memory first.
  [[nodiscard]] virtual bool sends_files() const noexcept { return false; }
  /// Where it does: bytes taken from the front of `bytes`; 0 when the file ends there; would_block
  /// when none could be. Waits for the disk alone, so ask for no more than a disk gives quickly.
  [[nodiscard]] virtual base::Result<std::size_t> try_send_file(const FileBytes& bytes) noexcept;

  /// Could an attempt in this direction do something? False positives allowed, false negatives not.
  [[nodiscard]] virtual bool may_be_ready(Direction direction) const noexcept = 0;

  /// `waiter` (or nobody: nullptr) hears of readiness that comes after this call.
  virtual void set_waiter(Direction direction, Waiter* waiter) noexcept = 0;

  /// What is written next is the last, so that a stream may put its own end (close_notify) behind
  /// it in the same write. A hint: shutdown_write() or the destructor still ends our side.
  virtual void end_with_next_write() noexcept {}

  /// Ends our side in order (FIN; close_notify before it over TLS). Best effort, does not wait.
  virtual void shutdown_write() noexcept = 0;

  /// The destructor will reset the connection instead of ending it in order.
  virtual void abort() noexcept = 0;

  /// What was read may be the replay of an earlier connection's (TLS 1.3's early data, RFC 8446
  /// §8): the peer has not shown yet that it is there.
  [[nodiscard]] virtual bool is_early() const noexcept { return false; }

  /// The peer has ended or reset its side, as far as is known without reading. What it sent before
  /// may still be unread.
  [[nodiscard]] virtual bool peer_closed() const noexcept { return false; }

  [[nodiscard]] virtual EventLoop& loop() const noexcept = 0;
};

/// The common part of what is awaited on a stream: waits until attempt() says that it is done.
class StreamOperation : public Waiter, public async::Cancellable, public Timer {
 public:
  StreamOperation(Stream& stream, Direction direction, base::Deadline deadline,
                  Waiting waiting) noexcept
      : stream_(stream), direction_(direction), deadline_(deadline), waiting_(waiting) {}

  [[nodiscard]] bool await_ready() noexcept { return attempt(); }

  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(self, self.promise().scope);
  }

  void on_ready() noexcept final {
    if (attempt()) finish();
  }
  void on_timer() noexcept final { fail_with(base::ErrorCode::timed_out); }
  void cancel() noexcept final { fail_with(base::ErrorCode::cancelled); }

 protected:
  ~StreamOperation() = default;
  /// True when the operation is over (its result is stored), false when it would block.
  virtual bool attempt() noexcept = 0;
  virtual void store(const base::Error& error) noexcept = 0;
  /// Something was done: from now on this is the deadline.
  void move_deadline(base::Deadline deadline) noexcept;

  Stream& stream_;
  const Direction direction_;

 private:
  bool suspend(std::coroutine_handle<> self, async::Scope* scope) noexcept;
  void fail_with(base::ErrorCode code) noexcept;
  void finish() noexcept;

  base::Deadline deadline_;
  std::coroutine_handle<> handle_;
  Waiting waiting_;
};

class ReadOperation final : public StreamOperation {
 public:
  ReadOperation(Stream& stream, std::span<char> into, base::Deadline deadline) noexcept
      : StreamOperation(stream, Direction::read, deadline, Waiting::busy), into_(into) {}
  [[nodiscard]] base::Result<std::size_t> await_resume() const noexcept { return result_; }

 private:
  bool attempt() noexcept override;
  void store(const base::Error& error) noexcept override { result_ = std::unexpected(error); }
  std::span<char> into_;
  base::Result<std::size_t> result_;
};

class WriteOperation final : public StreamOperation {
 public:
  WriteOperation(Stream& stream, std::span<iovec> pieces, Patience patience) noexcept
      : StreamOperation(stream, Direction::write, patience.until(stream.loop().now()),
                        Waiting::busy),
        pieces_(pieces),
        patience_(patience) {}
  [[nodiscard]] base::Result<void> await_resume() const noexcept { return result_; }

 private:
  bool attempt() noexcept override;
  void store(const base::Error& error) noexcept override { result_ = std::unexpected(error); }
  std::span<iovec> pieces_;
  Patience patience_;
  base::Result<void> result_;
};

class SendFileOperation final : public StreamOperation {
 public:
  SendFileOperation(Stream& stream, FileBytes bytes, Patience patience) noexcept
      : StreamOperation(stream, Direction::write, patience.until(stream.loop().now()),
                        Waiting::busy),
        bytes_(bytes),
        patience_(patience) {}
  [[nodiscard]] base::Result<void> await_resume() const noexcept { return result_; }

 private:
  bool attempt() noexcept override;
  void store(const base::Error& error) noexcept override { result_ = std::unexpected(error); }
  FileBytes bytes_;
  Patience patience_;
  base::Result<void> result_;
};

class ReadyOperation final : public StreamOperation {
 public:
  using StreamOperation::StreamOperation;
  [[nodiscard]] base::Result<void> await_resume() const noexcept { return result_; }

 private:
  bool attempt() noexcept override;
  void store(const base::Error& error) noexcept override { result_ = std::unexpected(error); }
  base::Result<void> result_;
};

/// What is left of `pieces` after their first `bytes` are gone; changes the piece that was cut.
[[nodiscard]] std::span<iovec> advance(std::span<iovec> pieces, std::size_t bytes) noexcept;
[[nodiscard]] inline iovec piece_of(std::string_view text) noexcept {
  return {const_cast<char*>(text.data()), text.size()};
}

/// At least one byte, or 0 at the end of the stream. `into` must not be empty and must stay in
/// place.
[[nodiscard]] inline ReadOperation read(Stream& stream, std::span<char> into,
                                        base::Deadline deadline) noexcept {
  return {stream, into, deadline};
}

/// All of `pieces`, which are changed on the way (they say what is left); they must stay in place.
/// A deadline is for the whole; a Patience may bound the pauses between two writes instead.
[[nodiscard]] inline WriteOperation write_all(Stream& stream, std::span<iovec> pieces,
                                              Patience patience) noexcept {
  return {stream, pieces, patience};
}

/// All of `bytes`, of a stream that sends files. Error end_of_stream: the file has become shorter.
[[nodiscard]] inline SendFileOperation send_file(Stream& stream, FileBytes bytes,
                                                 Patience patience) noexcept {
  return {stream, bytes, patience};
}

/// Waits without holding a buffer. `idle` operations end when the Scope drains.
[[nodiscard]] inline ReadyOperation ready(Stream& stream, Direction direction,
                                          base::Deadline deadline, Waiting waiting) noexcept {
  return {stream, direction, deadline, waiting};
}

}  // namespace io
