// SharedConnection: an HTTP/2 connection to a peer, on which many leases have their requests at a
// time; and the Line of those that one identity has.
//
//   Line: one connecting at a time, its waiters share what comes of it
//    ├── SharedConnection   12 of 100 requests
//    └── SharedConnection   idle, until its timer ends it
//
// A connection is run by a task of the worker's, which owns it together with the leases: the line
// may be gone first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "async/intrusive_list.h"
#include "async/scope.h"
#include "base/clock.h"
#include "http/h2/client_connection.h"
#include "io/timers.h"
#include "upstream/cluster_spec.h"
#include "upstream/identity.h"

namespace upstream {

struct Failure;
class Line;
class SharedPool;

class SharedConnection final : private http::h2::ClientConnection::Owner, private io::Timer {
 public:
  /// `line`: null for a connection that serves one request alone.
  SharedConnection(Transport transport, const KeepAlive& options, const http::h2::ClientOptions& h2,
                   observe::Counters& counters, Line* line);
  ~SharedConnection();
  SharedConnection(const SharedConnection&) = delete;
  SharedConnection& operator=(const SharedConnection&) = delete;

  /// Until it has ended; owns it meanwhile.
  [[nodiscard]] static async::Task<void> run(std::shared_ptr<SharedConnection> self);

  [[nodiscard]] http::h2::ClientConnection& h2() noexcept { return h2_; }
  [[nodiscard]] const tls::TlsStream* tls() const noexcept { return tls_; }
  /// Of leases, all so far.
  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }

  /// How many more leases it takes now.
  [[nodiscard]] std::size_t room() const noexcept;
  void enter() noexcept;  // a lease
  void leave() noexcept;  // likewise; its exchange is gone
  /// Takes no more leases, and ends after the last.
  void retire() noexcept;

  [[nodiscard]] bool is_idle() const noexcept { return leases_ == 0; }
  [[nodiscard]] base::TimePoint idle_since() const noexcept { return idle_since_; }

 private:
  friend class Line;
  void on_change() noexcept override;
  void on_timer() noexcept override { retire(); }
  [[nodiscard]] bool is_worn() const noexcept;

  io::EventLoop& loop_;
  KeepAlive options_;
  observe::Counters& counters_;
  const tls::TlsStream* tls_;
  Line* line_;
  http::h2::ClientConnection h2_;
  std::size_t leases_ = 0;
  std::uint64_t requests_ = 0;
  std::uint64_t number_ = 0;  // in the order of their making
  base::TimePoint opened_at_;
  base::TimePoint idle_since_;
  bool retired_ = false;
};

/// The connections of one identity. Lives while there are any, or somebody waits for one.
class Line {
 public:
  Line(SharedPool& pool, const Identity& identity) : pool_(pool), identity_(identity) {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  [[nodiscard]] const OwnIdentity& identity() const noexcept { return identity_; }

  /// A place on a connection that is newer than `after`; null if none has room.
  [[nodiscard]] std::shared_ptr<SharedConnection> enter(std::uint64_t after) noexcept;
  /// Whether whoever finds no place is to connect; otherwise it waits.
  /// `most`: connections that it may have.
  [[nodiscard]] bool may_connect(std::size_t most) const noexcept;
  [[nodiscard]] bool is_full(std::size_t most) const noexcept;

  /// One who connects. Its end lets the others go on: with what came of it, or anew.
  class Connecting {
   public:
    explicit Connecting(Line& line) noexcept : line_(line) { line_.connecting_ = true; }
    ~Connecting();
    Connecting(const Connecting&) = delete;
    Connecting& operator=(const Connecting&) = delete;
    /// For those who wait as well.
    void fail(const Failure& failure) noexcept;

   private:
    Line& line_;
  };

  /// A wait for a place. Error: cancelled or timed_out; otherwise look again, unless it has failed.
  class Wait;
  void add(std::shared_ptr<SharedConnection> connection, std::uint64_t number);
  void changed(SharedConnection& connection) noexcept;
  [[nodiscard]] bool is_empty() const noexcept {
    return connections_.empty() && !connecting_ && waiters_.empty() && users_ == 0;
  }
  [[nodiscard]] const std::vector<std::shared_ptr<SharedConnection>>& connections() const noexcept {
    return connections_;
  }
  /// Connections end after their last requests, and are nobody's any more.
  void let_go() noexcept;

 private:
  friend class SharedPool;
  class WaitLink : public async::Link {};
  void wake(std::size_t most) noexcept;
  [[nodiscard]] bool may_first_connect() noexcept;  // of those who wait

  SharedPool& pool_;
  OwnIdentity identity_;
  std::vector<std::shared_ptr<SharedConnection>> connections_;
  async::List<WaitLink> waiters_;
  std::size_t users_ = 0;  // that look for a place
  bool connecting_ = false;
};

class Line::Wait final : private WaitLink, public async::Cancellable, public io::Timer {
 public:
  /// `most`: as many connections may there be for whoever waits.
  Wait(Line& line, io::EventLoop& loop, base::Deadline deadline, std::size_t most) noexcept
      : line_(line), loop_(loop), deadline_(deadline), most_(most) {}
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(self, self.promise().scope);
  }
  struct Outcome {
    base::Result<void> result;
    std::shared_ptr<const Failure> failure;  // of who connected
  };
  [[nodiscard]] Outcome await_resume() noexcept { return std::move(outcome_); }

 private:
  friend class Line;
  bool suspend(std::coroutine_handle<> self, async::Scope* scope) noexcept;
  void on_timer() noexcept override { end(base::fail(base::ErrorCode::timed_out)); }
  void cancel() noexcept override { end(base::fail(base::ErrorCode::cancelled)); }
  void end(base::Result<void> result) noexcept;

  Line& line_;
  io::EventLoop& loop_;
  base::Deadline deadline_;
  std::size_t most_;
  std::coroutine_handle<> handle_;
  Outcome outcome_{};
};

}  // namespace upstream
