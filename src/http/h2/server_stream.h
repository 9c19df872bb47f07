// ServerStream: one request of an HTTP/2 client and the way of its response.
//
// Has the same faces as an exchange over HTTP/1: a RequestHead, a Body, a Responder, and for
// tunnels and for noticing that the client has left, an io::Stream. Views of the head live in
// arena().
#pragma once

#include <cstdint>

#include "base/arena.h"
#include "base/clock.h"
#include "http/body.h"
#include "http/head.h"
#include "http/refusal.h"
#include "http/responder.h"
#include "io/stream.h"

namespace http::h2 {

class ServerConnection;

class ServerStream {
 public:
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;

  [[nodiscard]] virtual std::int32_t id() const noexcept = 0;

  /// May be moved from: its views stay valid as long as the stream. Version http_2, keep_alive.
  /// `target` is the :path, `scheme` the :scheme, `authority` the :authority; the fields have Host
  /// (made of :authority if it did not come) and one Cookie, whatever number it came in.
  /// CONNECT (RFC 9113 §8.5): form authority, no path; `host` and `port` say where to.
  /// Extended CONNECT (RFC 8441): method connect, `protocol` set, a path as in others.
  [[nodiscard]] virtual RequestHead& head() noexcept = 0;
  [[nodiscard]] virtual base::Arena& arena() noexcept = 0;

  /// Not none: the request must be answered with status_of(refusal) and nothing else. `head` has
  /// what could be read of it.
  [[nodiscard]] virtual Refusal refusal() const noexcept = 0;

  /// The window is given back as the body is read. Errors: reset (by the client, or the connection
  /// ended), protocol (it does not match its content-length; the stream has been reset),
  /// timed_out, cancelled.
  [[nodiscard]] virtual Body& body() noexcept = 0;

  /// A send ends when its bytes were taken into frames within the client's window. When it ends in
  /// timed_out or cancelled, the stream has been reset. close_after() and forbid_chunks() do
  /// nothing: a stream serves one request anyway, and its end is framed. For CONNECT, a 2xx opens
  /// the tunnel: send_head(..., End::no), then client().
  [[nodiscard]] virtual Responder& responder() noexcept = 0;

  /// The stream's bytes both ways. peer_closed(): the client has reset it, or is gone; the end of
  /// the request is no such thing. abort() resets at once. shutdown_write() ends the response.
  [[nodiscard]] virtual io::Stream& client() noexcept = 0;

  [[nodiscard]] virtual ServerConnection& connection() noexcept = 0;

  /// When the first frame of the request had come.
  [[nodiscard]] virtual base::TimePoint began() const noexcept = 0;
  /// Of HEADERS, CONTINUATION and DATA so far, frame headers included.
  [[nodiscard]] virtual std::uint64_t bytes_received() const noexcept = 0;

 protected:
  ServerStream() = default;
  ~ServerStream() = default;
};

}  // namespace http::h2
