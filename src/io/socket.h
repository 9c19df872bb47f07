// Sockets: SocketStream (TCP and Unix), Listener, connect. Everything is non-blocking and
// edge-triggered; a short read counts as drained, which saves the read that would say EAGAIN.
#pragma once

#include <chrono>
#include <coroutine>
#include <memory>
#include <optional>
#include <vector>

#include "async/scope.h"
#include "async/task.h"
#include "base/address.h"
#include "base/fd.h"
#include "io/listen_options.h"
#include "io/stream.h"

namespace io {

class SocketStream final : public Stream, private Pollable {
 public:
  /// Takes a connected or connecting non-blocking socket. `loop` outlives the stream.
  [[nodiscard]] static base::Result<std::unique_ptr<SocketStream>> adopt(EventLoop& loop,
                                                                         base::Fd socket);
  ~SocketStream() override;

  [[nodiscard]] base::Result<std::size_t> try_read(std::span<char> into) noexcept override;
  [[nodiscard]] base::Result<std::size_t> try_write(
      std::span<const iovec> pieces) noexcept override;
  [[nodiscard]] bool sends_files() const noexcept override { return true; }
  [[nodiscard]] base::Result<std::size_t> try_send_file(const FileBytes& bytes) noexcept override;
  [[nodiscard]] bool may_be_ready(Direction direction) const noexcept override;
  void set_waiter(Direction direction, Waiter* waiter) noexcept override;
  void shutdown_write() noexcept override;
  void abort() noexcept override;
  [[nodiscard]] EventLoop& loop() const noexcept override { return loop_; }

  /// The local end, asked of the kernel.
  [[nodiscard]] base::Address local_address() const noexcept;
  [[nodiscard]] bool peer_closed() const noexcept override { return hung_up_; }
  void set_no_delay(bool on) noexcept;
  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  /// What a failed connect left in SO_ERROR, 0 if nothing.
  [[nodiscard]] int take_socket_error() noexcept;
  /// After adopt() of a socket whose connect is in progress: not writable until told so.
  void expect_connect() noexcept { writable_ = false; }

 private:
  SocketStream(EventLoop& loop, base::Fd socket) noexcept;
  void on_events(std::uint32_t events) noexcept override;

  EventLoop& loop_;
  base::Fd socket_;
  Waiter* reader_ = nullptr;
  Waiter* writer_ = nullptr;
  bool readable_ = true;
  bool writable_ = true;
  bool hung_up_ = false;
  bool aborted_ = false;
};

/// What a connection is to have beside its peer.
struct ConnectOptions {
  std::optional<base::Address> from{};  // the local end; port 0: any
  bool keepalive = false;  // SO_KEEPALIVE
  int receive_buffer = 0;  // bytes; 0: the system's
  int send_buffer = 0;     // likewise
};

/// Connects by the deadline. The Error has the errno that the kernel gave.
[[nodiscard]] async::Task<base::Result<std::unique_ptr<SocketStream>>> connect(
    EventLoop& loop, base::Address peer, base::Deadline deadline, ConnectOptions options = {});

/// A bound, listening, non-blocking socket. Unix sockets replace a stale file of the same name only
/// if nobody answers there, and everyone may connect to them, as nginx's. `ignored`, where given,
/// gets the options that the kernel did not take.
[[nodiscard]] base::Result<base::Fd> open_listener(const base::Address& address,
                                                   const ListenOptions& options,
                                                   std::vector<OptionFailure>* ignored = nullptr);

struct Accepted {
  base::Fd socket;
  base::Address peer;
};

/// Accepts on a listening socket, which it shares (duplicates are fine) or owns.
class Listener final : private Pollable {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<Listener>> adopt(EventLoop& loop,
                                                                     base::Fd socket);
  ~Listener();

  class Accept;
  /// The next connection; errors of the peer (ECONNABORTED) are skipped, `exhausted` is reported
  /// and leaves the connection in the queue.
  [[nodiscard]] Accept accept(Waiting waiting = Waiting::busy) noexcept;

 private:
  Listener(EventLoop& loop, base::Fd socket) noexcept;
  void on_events(std::uint32_t events) noexcept override;
  [[nodiscard]] base::Result<Accepted> try_accept() noexcept;

  EventLoop& loop_;
  base::Fd socket_;
  Accept* waiting_ = nullptr;
};

class Listener::Accept final : public async::Cancellable {
 public:
  Accept(Listener& listener, Waiting waiting) noexcept : listener_(listener), waiting_(waiting) {}
  [[nodiscard]] bool await_ready() noexcept { return attempt(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    async::Scope* scope = self.promise().scope;
    if (scope != nullptr && !scope->enlist(*this, waiting_)) {
      result_ = base::fail(base::ErrorCode::cancelled);
      return false;
    }
    handle_ = self;
    listener_.waiting_ = this;
    return true;
  }
  [[nodiscard]] base::Result<Accepted> await_resume() noexcept { return std::move(result_); }
  void cancel() noexcept override;

 private:
  friend class Listener;
  bool attempt() noexcept;
  void finish() noexcept;
  Listener& listener_;
  std::coroutine_handle<> handle_;
  base::Result<Accepted> result_;
  Waiting waiting_;
};
inline Listener::Accept Listener::accept(Waiting waiting) noexcept { return {*this, waiting}; }

/// Suspends until `due`. Error cancelled when the Scope stops first.
class Sleep final : public Timer, public async::Cancellable {
 public:
  Sleep(EventLoop& loop, base::TimePoint due, Waiting waiting) noexcept
      : loop_(loop), due_(due), waiting_(waiting) {}
  [[nodiscard]] bool await_ready() const noexcept { return due_ <= loop_.now(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    async::Scope* scope = self.promise().scope;
    if (scope != nullptr && !scope->enlist(*this, waiting_)) {
      result_ = base::fail(base::ErrorCode::cancelled);
      return false;
    }
    handle_ = self;
    loop_.timers().set(*this, due_);
    return true;
  }
  [[nodiscard]] base::Result<void> await_resume() const noexcept { return result_; }
  void on_timer() noexcept override;
  void cancel() noexcept override;

 private:
  EventLoop& loop_;
  base::TimePoint due_;
  std::coroutine_handle<> handle_;
  base::Result<void> result_;
  Waiting waiting_;
};
[[nodiscard]] inline Sleep sleep_until(EventLoop& loop, base::TimePoint due,
                                       Waiting waiting = Waiting::busy) noexcept {
  return {loop, due, waiting};
}

}  // namespace io
