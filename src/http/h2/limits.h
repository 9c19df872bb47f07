// Limits: what a peer of an HTTP/2 connection may do, on either side. Plain data; the defaults are
// safe. What a browser, curl or a gRPC library does stays far below them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace http::h2 {

/// A bucket: `burst` at once, and `per_second` of them over time.
struct Rate {
  std::uint32_t burst = 0;
  std::uint32_t per_second = 0;
};

struct Limits {
  // What we announce in SETTINGS.
  std::uint32_t max_streams = 128;  // at a time; handlers that still run count, too
  std::uint32_t stream_window = 128 * 1024;
  std::uint32_t connection_window = 512 * 1024;
  std::uint32_t max_frame_size = 16 * 1024;
  std::uint32_t header_table_size = 4096;

  // Heads, as in HTTP/1 (HeadLimits). Beyond them a request is refused: 414 or 431.
  std::size_t max_line = 8 * 1024;    // name and value of a field, and the :path
  std::size_t max_total = 32 * 1024;  // all names and values, decoded
  std::size_t max_fields = 100;       // each piece of a cookie counts
  /// Decoded bytes at which a head is not refused any more, but the connection is closed: it costs
  /// more to decode than any client has reason to ask for.
  std::size_t max_decoded = 256 * 1024;
  std::size_t max_trailer_bytes = 4096;
  std::size_t max_trailer_fields = 32;

  // Header blocks as they come over the wire.
  std::uint32_t max_continuations = 16;  // of one block
  std::size_t max_block = 128 * 1024;  // bytes of one block, not decoded

  // What the connection may hold: heads, bodies that nobody has read yet, what waits to be sent.
  std::size_t memory = 1024 * 1024;
  std::uint32_t max_queued_frames = 1000;  // answers that the peer makes us owe it

  // Floods. RST_STREAM: what the peer sends, and what it makes us send by its errors.
  Rate resets{.burst = 150, .per_second = 10};
  Rate settings{.burst = 20, .per_second = 2};
  Rate pings{.burst = 200, .per_second = 50};
  Rate priorities{.burst = 300, .per_second = 20};  // PRIORITY and PRIORITY_UPDATE
  Rate window_updates{.burst = 10'000, .per_second = 500};
  Rate empty_frames{.burst = 50, .per_second = 5};  // without content and without END_STREAM
  Rate tiny_data{.burst = 20'000, .per_second = 5'000};
  Rate unknown_frames{.burst = 100, .per_second = 10};
  std::size_t tiny = 64;  // DATA with less than this is tiny, unless it ends the stream
};

/// What all HTTP/2 connections of a worker hold together. One thread's; null: not bounded.
struct SharedBudget {
  std::size_t limit = 256 * 1024 * 1024;
  std::size_t used = 0;
};

}  // namespace http::h2
