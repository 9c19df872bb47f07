// FrameWatch: looks at the header of each frame before nghttp2 sees the bytes, and counts. What
// costs us more than it costs the peer is bounded here: floods of small frames, header blocks
// without end, and resets, the peer's and those that it provokes (CVE-2023-44487, CVE-2025-8671,
// CVE-2024-27316, CVE-2019-9511 to 9518).
//
// Needs only the frames' headers, so the input may come in pieces of any size:
//
//   | preface (24) |  length (3) type (1) flags (1) stream (4) | payload ... | length ...
//     skipped         collected in header_                       skipped
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/h2/limits.h"
#include "http/h2/offence.h"
#include "http/h2/sending_streams.h"
#include "http/h2/token_bucket.h"

namespace http::h2 {

enum class FrameType : std::uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  push_promise = 5,
  ping = 6,
  goaway = 7,
  window_update = 8,
  continuation = 9,
  priority_update = 0x10,
};
inline constexpr std::uint8_t kFlagEndStream = 0x1;
inline constexpr std::uint8_t kFlagEndHeaders = 0x4;
inline constexpr std::size_t kFrameHeader = 9;

class FrameWatch {
 public:
  /// `preface`: bytes before the first frame, a client's. `limits` must outlive it.
  FrameWatch(const Limits& limits, std::size_t preface, base::TimePoint now) noexcept;

  /// The next received bytes. After an offence it must not be called again.
  [[nodiscard]] Offence scan(std::string_view bytes, base::TimePoint now) noexcept;

  /// We send RST_STREAM because of what the peer did.
  [[nodiscard]] Offence count_provoked_reset(base::TimePoint now) noexcept {
    return resets_.take(now) ? Offence::none : Offence::rapid_reset;
  }
  /// DATA was sent: the peer may answer it by window updates, pings and small messages. Not if it
  /// was its window that made the frame small.
  void earn_by_data(std::size_t size, bool cut_by_window) noexcept;

  /// DATA came for a stream that the client itself had ended: the connection's error STREAM_CLOSED.
  /// Of a client's frames; scan() has stopped at it.
  [[nodiscard]] bool broke_stream() const noexcept { return broke_stream_; }
  /// A header block has begun and not ended.
  [[nodiscard]] bool in_block() const noexcept { return in_block_; }
  /// That have begun.
  [[nodiscard]] std::uint64_t blocks() const noexcept { return blocks_; }

 private:
  struct Frame {
    std::size_t length;
    FrameType type;
    std::uint8_t flags;
    std::uint32_t stream;
  };
  [[nodiscard]] Frame read_header() const noexcept;
  [[nodiscard]] Offence judge(const Frame& frame, base::TimePoint now) noexcept;
  [[nodiscard]] Offence judge_data(const Frame& frame, base::TimePoint now) noexcept;
  [[nodiscard]] Offence judge_block(const Frame& frame, base::TimePoint now) noexcept;

  void follow(const Frame& frame);

  const Limits& limits_;
  SendingStreams sending_;
  TokenBucket resets_;
  TokenBucket settings_;
  TokenBucket pings_;
  TokenBucket priorities_;
  TokenBucket window_updates_;
  TokenBucket empty_frames_;
  TokenBucket tiny_data_;
  TokenBucket unknown_frames_;
  std::size_t skip_;  // bytes until the next frame's header
  std::size_t block_bytes_ = 0;
  std::uint64_t blocks_ = 0;
  std::uint32_t continuations_ = 0;
  bool in_block_ = false;
  bool is_client_;  // who is watched
  bool broke_stream_ = false;
  std::uint8_t have_ = 0;  // bytes in header_
  std::array<char, kFrameHeader> header_{};
};

}  // namespace http::h2
