// ClientConnection: an HTTP/2 connection to a backend (RFC 9113), shared by many requests at a
// time.
//
//   ClientConnection connection(std::move(stream), options, counters, owner);
//   scope.spawn(keep(connection.run()));           // until it has ended
//   auto exchange = connection.open(...);          // an http::ClientExchange, gone before it
//
// A backend is watched as a client is (frame_watch.h): it may be anybody's program.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "async/task.h"
#include "base/arena.h"
#include "base/clock.h"
#include "http/client_exchange.h"
#include "http/h2/limits.h"
#include "http/h2/response_limits.h"
#include "http/method.h"
#include "io/stream.h"
#include "observe/counters.h"

namespace http::h2 {

struct ClientOptions {
  Limits limits{};  // max_streams: at a time, even where the backend allows more
  /// For each write that the backend's TCP does not take.
  base::Duration write_timeout = std::chrono::seconds(60);
  /// So long without a byte while requests wait, and the backend is asked whether it is there.
  base::Duration ping_interval = base::Duration::max();
  base::Duration ping_timeout = std::chrono::seconds(10);
  SharedBudget* budget = nullptr;
};

class ClientConnection {
 public:
  class Owner {
   public:
    /// It takes more requests than before, or none any more. Must not end the connection's life.
    virtual void on_change() noexcept = 0;

   protected:
    ~Owner() = default;
  };

  /// `owner` and `counters` outlive it.
  ClientConnection(std::unique_ptr<io::Stream> stream, const ClientOptions& options,
                   observe::Counters& counters, Owner& owner);
  ~ClientConnection();  // CHECKs that all exchanges are gone
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  /// Until the connection has ended, and exchanges have been told so.
  [[nodiscard]] async::Task<void> run();

  /// One request and its response. `arena` takes the text of heads and trailers, and outlives it.
  /// Dropping it before its end resets the stream.
  [[nodiscard]] std::unique_ptr<ClientExchange> open(Method method, base::Arena& arena,
                                                     const ResponseLimits& limits);

  /// No new requests from now on: it ends after the last one, at once if there is none.
  void drain() noexcept;

  /// Neither over, nor told to go away by either side.
  [[nodiscard]] bool takes_requests() const noexcept;
  /// The backend's SETTINGS have come.
  [[nodiscard]] bool settled() const noexcept;
  /// At a time; 1 until it is settled.
  [[nodiscard]] std::size_t max_requests() const noexcept;
  [[nodiscard]] std::size_t open_requests() const noexcept;
  [[nodiscard]] std::uint64_t bytes_received() const noexcept;
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept;

 private:
  class Core;
  friend class ClientRequest;
  std::unique_ptr<Core> core_;
};

}  // namespace http::h2
