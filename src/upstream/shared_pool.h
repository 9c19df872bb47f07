// SharedPool: the HTTP/2 connections of one cluster on one worker, by identity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "async/scope.h"
#include "io/event_loop.h"
#include "observe/counters.h"
#include "upstream/cluster_spec.h"
#include "upstream/shared_connection.h"

namespace upstream {

class SharedPool {
 public:
  /// `background`: where connections run; null where there are none. `budget`: what they hold is
  /// charged to; may be null.
  SharedPool(io::EventLoop& loop, const KeepAlive& options, observe::Counters& counters,
             async::Scope* background, http::h2::SharedBudget* budget) noexcept
      : loop_(loop),
        options_(options),
        counters_(counters),
        background_(background),
        budget_(budget) {}
  ~SharedPool();  // connections run on until their last requests end
  SharedPool(const SharedPool&) = delete;
  SharedPool& operator=(const SharedPool&) = delete;

  /// The line of an identity, for as long as it is held.
  class Use {
   public:
    Use(SharedPool& pool, Line& line) noexcept : pool_(pool), line_(line) { ++line_.users_; }
    ~Use() {
      --line_.users_;
      pool_.tidy();
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    Line* operator->() const noexcept { return &line_; }
    Line& operator*() const noexcept { return line_; }

   private:
    SharedPool& pool_;
    Line& line_;
  };
  [[nodiscard]] Use line_of(const Identity& identity);

  /// Puts a new connection to work; the first lease on it is the caller's. `line`: null for one
  /// that serves this lease alone. `limits`: what the backend may do on it.
  [[nodiscard]] std::shared_ptr<SharedConnection> start(Transport transport, Line* line,
                                                        const http::h2::Limits& limits);
  /// The number of the newest.
  [[nodiscard]] std::uint64_t newest() const noexcept { return newest_; }

  void forget(std::uint32_t peer) noexcept;
  /// Idle ones end now, the others after their last requests; none is kept from now on.
  void close() noexcept;

  [[nodiscard]] std::size_t size() const noexcept;  // all
  [[nodiscard]] std::size_t idle() const noexcept;
  [[nodiscard]] std::size_t idle_of(std::uint32_t peer) const noexcept;
  [[nodiscard]] base::TimePoint oldest_since() const noexcept;
  void discard_oldest() noexcept;

 private:
  friend class Line;
  void tidy() noexcept;
  void became_idle(SharedConnection& connection) noexcept;
  template <class Visit>
  void for_each(Visit visit) const;
  [[nodiscard]] SharedConnection* oldest() const noexcept;

  io::EventLoop& loop_;
  KeepAlive options_;
  observe::Counters& counters_;
  async::Scope* background_;
  http::h2::SharedBudget* budget_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::uint64_t newest_ = 0;
  bool closed_ = false;
};

}  // namespace upstream
