// Http2Terms: what a request asks of the HTTP/2 connections to its backend, and lets a backend do
// on one. Plain data.
#pragma once

#include <cstddef>

#include "http/h2/limits.h"

namespace upstream {

/// Many requests share a connection, and a backend may reset each of them in good faith, when it
/// has answered an upload early (RFC 9113 §8.1): more of it than of a client.
[[nodiscard]] constexpr http::h2::Limits backend_limits() noexcept {
  http::h2::Limits limits;
  limits.stream_window = 256 * 1024;
  limits.connection_window = 1024 * 1024;
  limits.resets = {.burst = 10'000, .per_second = 1'000};
  limits.tiny_data = {.burst = 200'000, .per_second = 50'000};
  limits.window_updates = {.burst = 200'000, .per_second = 50'000};  // gRPC: two a message
  limits.max_total = 64 * 1024;  // of heads: each request has limits of its own
  return limits;
}

struct Http2Terms {
  /// To one server, with one identity, of one worker: a backend that takes few requests at a time
  /// has more, but not without end.
  std::size_t max_connections = 16;
  /// Of a connection that this request opens; max_streams: requests at a time, even where the
  /// backend allows more.
  http::h2::Limits limits = backend_limits();
};

inline constexpr Http2Terms kDefaultHttp2Terms{};

}  // namespace upstream
