// Session: nghttp2's session as the rest of this folder sees it, for both sides of a connection.
// Bytes in, frames out into one buffer; what happens in between is told to the Stream or to the
// SessionOwner that it concerns, inside of feed() and gather(). Whoever is told may submit (send,
// reset, consume, ping, ...), but not feed or gather.
//
// nghttp2's own checks of HTTP messages are off: this folder's are stricter, and can answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "http/fields.h"
#include "http/h2/limits.h"
#include "http/h2/priority.h"
#include "io/buffer.h"

namespace http::h2 {

class Stream;

/// RFC 9113 §7.
enum class Code : std::uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  flow_control_error = 3,
  stream_closed = 5,
  frame_size_error = 6,
  refused_stream = 7,
  cancel = 8,
  connect_error = 10,
  enhance_your_calm = 11,
};

class SessionOwner {
 public:
  /// A server's: a request begins. Null: its frames are of no interest (it is being refused).
  [[nodiscard]] virtual Stream* on_new_stream(std::int32_t id) noexcept = 0;
  /// A RST_STREAM leaves. `own`: by our wish, and not for what the peer did.
  virtual void on_reset_sent(bool own) noexcept = 0;
  virtual void on_reset_received() noexcept = 0;
  /// So much was decoded of a header block whose stream is refused, or forgotten.
  virtual void on_decoded_for_nobody(std::size_t size) noexcept = 0;
  virtual void on_data_sent(std::size_t size, bool cut_by_window) noexcept = 0;
  virtual void on_ping_ack() noexcept = 0;
  virtual void on_goaway_sent() noexcept {}
  virtual void on_goaway(std::int32_t /*last_stream*/, Code /*code*/) noexcept {}
  virtual void on_settings() noexcept {}
  /// A GOAWAY with an error leaves: the session is over. A static text.
  virtual void on_failed(std::string_view reason) noexcept = 0;

 protected:
  ~SessionOwner() = default;
};

class Session {
 public:
  struct Nghttp2;  // what nghttp2's callbacks are given (nghttp2_session.h)
  enum class Side : std::uint8_t { server, client };
  /// Our SETTINGS are the first that gather() gives.
  Session(Side side, const Limits& limits, SessionOwner& owner);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// False: the session can't go on (it may still have a GOAWAY to send).
  [[nodiscard]] bool feed(std::string_view bytes) noexcept;

  /// Frames into `out`, until there are no more, or it holds kGatherLimit bytes.
  [[nodiscard]] bool gather(io::Buffer& out) noexcept;
  static constexpr std::size_t kGatherLimit = io::Buffer::kLarge - 16 * 1024 - 9;

  // A message. `fields` may be in any letter case; what belongs to HTTP/1 connections is left out.
  // Error invalid: a byte that is not allowed; nothing was submitted.
  enum class Ends : bool { no, yes };
  [[nodiscard]] base::Result<void> submit_response(Stream& stream, std::uint16_t status,
                                                   const Fields& fields,
                                                   std::string_view content_length, Ends ends);
  [[nodiscard]] base::Result<void> submit_interim(Stream& stream, std::uint16_t status,
                                                  const Fields& fields);
  [[nodiscard]] base::Result<void> submit_trailers(Stream& stream, const Fields& fields);
  /// A client's: gives the stream its id, or an Error: exhausted (no ids left), invalid.
  struct RequestLine {
    std::string_view method, scheme, authority, path, protocol;
  };
  [[nodiscard]] base::Result<std::int32_t> submit_request(Stream& stream, const RequestLine& line,
                                                          const Fields& fields,
                                                          std::string_view content_length,
                                                          Ends ends);

  /// The stream has something to send again.
  void resume(const Stream& stream) noexcept;
  void reset(std::int32_t id, Code code) noexcept;
  /// The stream's object goes: nothing is told to it any more.
  void forget(std::int32_t id) noexcept;
  /// Received bytes were read: gives the windows back.
  void consume(std::int32_t id, std::size_t size) noexcept;
  void set_priority(std::int32_t id, Priority priority) noexcept;
  void ping() noexcept;
  void shutdown_notice() noexcept;  // a server's first GOAWAY: requests on their way still count
  void goaway() noexcept;  // the final one, NO_ERROR
  void terminate(Code code) noexcept;

  [[nodiscard]] bool wants_write() const noexcept;
  [[nodiscard]] std::size_t queued() const noexcept;  // frames, DATA not counted
  /// Of the peer's SETTINGS.
  [[nodiscard]] std::uint32_t peer_max_streams() const noexcept;
  [[nodiscard]] bool peer_allows_extended_connect() const noexcept;

 private:
  std::unique_ptr<Nghttp2> nghttp2_;
};

}  // namespace http::h2
