// ServerConnection: a client's HTTP/2 connection (RFC 9113). Many requests at a time, each given to
// the handler as a ServerStream.
//
//   ServerConnection connection(stream, handler, options, counters);
//   connection.begin_with(bytes);            // what was read to recognise the preface
//   const ConnectionEnd end = co_await connection.run();
//
// One reader and one writer. Frames are gathered in one buffer, and written once in a turn of the
// loop. Frames, HPACK and the states of streams are nghttp2's; what nghttp2 does not defend against
// is refused before it sees it (frame_watch.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/h2/limits.h"
#include "io/stream.h"
#include "observe/counters.h"

namespace http::h2 {

class ServerStream;

class ServerHandler {
 public:
  /// Serves one request, beside the others. The stream lives until this has returned. What was not
  /// answered then, or not to its end, is reset.
  [[nodiscard]] virtual async::Task<void> serve(ServerStream& stream) = 0;

  /// A request without an answer: its stream was reset, since it broke the rule (RFC 9113 §8.1.1).
  /// A static text.
  virtual void on_malformed(std::string_view rule) noexcept = 0;

  /// From now on no request is served, or one is again. Idle at first; not told at the end.
  virtual void on_idle(bool /*idle*/) noexcept {}

 protected:
  ~ServerHandler() = default;
};

struct ServerOptions {
  Limits limits{};
  /// For the first request, and for each head once its first frame has come.
  base::Duration header_timeout = std::chrono::seconds(60);
  /// Without a request. See also ServerConnection::set_idle.
  base::Duration idle_timeout = std::chrono::seconds(75);
  /// For each write that the peer's TCP does not take.
  base::Duration write_timeout = std::chrono::seconds(60);
  /// A client that has just come is not idle yet: its first request is on the way.
  base::Duration arrival = std::chrono::seconds(1);
  SharedBudget* budget = nullptr;
};

struct ConnectionEnd {
  enum class How : std::uint8_t {
    closed,  // by the client, or by us in order: drained, drain() and all streams ended
    idle,  // idle_timeout passed, or idle when a drain came
    silent,  // header_timeout: no request came, or a head stopped in the middle
    stalled,  // write_timeout
    failed,  // the stream below: `error` says it
    protocol,  // the client broke a rule that concerns the whole connection
    flood,  // ENHANCE_YOUR_CALM: `reason` says which limit
    cancelled,  // the scope was stopped
  };
  How how = How::closed;
  base::Error error{};
  /// A static word for the error log: "rapid_reset", "settings_flood", "bad_preface", ...
  std::string_view reason{};
  /// We ended it while the client may still be sending: linger, or it may not see the GOAWAY.
  bool linger = false;
};

class ServerConnection {
 public:
  /// All that is referred to must outlive it, but for `options`, of which it keeps a copy.
  ServerConnection(io::Stream& stream, ServerHandler& handler, const ServerOptions& options,
                   observe::Counters& counters);
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  /// Bytes that were read already, the preface's first included. Before run().
  void begin_with(std::string_view received);

  /// Until the connection has ended and all handlers have returned. Does not shut the stream down.
  /// A drain of the scope makes it send GOAWAY and end after the requests that have begun.
  [[nodiscard]] async::Task<ConnectionEnd> run();

  /// Ends as a drain of the scope does: for keepalive_requests and keepalive_time.
  void drain() noexcept;

  /// From now on: how long it may be without a request, and how long it is let be then even at a
  /// drain (keepalive_timeout and keepalive_min_timeout of the last request's location).
  void set_idle(base::Duration timeout, base::Duration at_least) noexcept;

  [[nodiscard]] std::size_t open_streams() const noexcept;  // whose handlers run
  [[nodiscard]] std::uint64_t requests() const noexcept;  // given to the handler so far
  [[nodiscard]] std::uint64_t bytes_received() const noexcept;
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

/// "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": what every client begins with (RFC 9113 §3.4).
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether what a client begins with is HTTP/2's preface. `maybe`: more bytes will tell.
enum class PrefaceMatch : std::uint8_t { no, maybe, yes };
[[nodiscard]] constexpr PrefaceMatch match_preface(std::string_view received) noexcept {
  if (received.starts_with(kPreface)) return PrefaceMatch::yes;
  return kPreface.starts_with(received) ? PrefaceMatch::maybe : PrefaceMatch::no;
}

}  // namespace http::h2
