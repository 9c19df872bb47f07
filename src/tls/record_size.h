// RecordSize: how much of a response goes into one record.
//
// A record can be read once all of it has arrived, so a large one makes a page wait for packets
// that the congestion window does not let go yet, and for a lost one: small records first, each in
// one packet, then large ones, which cost less. After a pause the congestion window is small again
// (RFC 9293 §3.8.2: slow start after idle), so it begins anew.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace tls {

class RecordSize {
 public:
  /// Fits a packet of 1,400 bytes beside the headers of IPv6, TCP and the record.
  static constexpr std::uint32_t kSmall = 1300;
  /// So much goes in small records.
  static constexpr std::uint32_t kStart = 40 * 1024;
  static constexpr std::chrono::seconds kPause{1};

  /// `limit`: of every record (ssl_buffer_size), at most 16,384. Not `adaptive`: all are as large.
  constexpr RecordSize(std::size_t limit, bool adaptive) noexcept
      : limit_(static_cast<std::uint16_t>(limit)), adaptive_(adaptive) {}
  constexpr RecordSize() noexcept : RecordSize(16384, false) {}

  /// Before records are written at `now`.
  void begin(base::TimePoint now) noexcept {
    if (!adaptive_) return;
    if (now - last_ > kPause) sent_ = 0;
    last_ = now;
  }
  [[nodiscard]] std::size_t limit() const noexcept {
    return adaptive_ && sent_ < kStart ? std::min<std::size_t>(kSmall, limit_) : limit_;
  }
  /// A record with so many bytes was written.
  void add(std::size_t size) noexcept {
    if (adaptive_ && sent_ < kStart) sent_ += static_cast<std::uint32_t>(size);
  }

 private:
  base::TimePoint last_{};
  std::uint32_t sent_ = 0;  // since the last pause; no more than kStart and a record
  std::uint16_t limit_;
  bool adaptive_;
};

}  // namespace tls
