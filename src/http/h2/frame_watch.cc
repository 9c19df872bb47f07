#include "http/h2/frame_watch.h"

#include <algorithm>

namespace http::h2 {

namespace {

Offence unless(bool allowed, Offence offence) noexcept { return allowed ? Offence::none : offence; }

}  // namespace

FrameWatch::FrameWatch(const Limits& limits, std::size_t preface, base::TimePoint now) noexcept
    : limits_(limits),
      resets_(limits.resets, now),
      settings_(limits.settings, now),
      pings_(limits.pings, now),
      priorities_(limits.priorities, now),
      window_updates_(limits.window_updates, now),
      empty_frames_(limits.empty_frames, now),
      tiny_data_(limits.tiny_data, now),
      unknown_frames_(limits.unknown_frames, now),
      skip_(preface),
      is_client_(preface > 0) {}

FrameWatch::Frame FrameWatch::read_header() const noexcept {
  const auto byte = [this](std::size_t i) { return static_cast<std::uint8_t>(header_[i]); };
  return {.length = (std::size_t{byte(0)} << 16U) | (std::size_t{byte(1)} << 8U) | byte(2),
          .type = static_cast<FrameType>(byte(3)),
          .flags = byte(4),
          .stream = (std::uint32_t{byte(5)} & 0x7fU) << 24U | std::uint32_t{byte(6)} << 16U |
                    std::uint32_t{byte(7)} << 8U | byte(8)};
}

Offence FrameWatch::scan(std::string_view bytes, base::TimePoint now) noexcept {
  while (true) {
    const std::size_t skipped = std::min(skip_, bytes.size());
    skip_ -= skipped;
    bytes.remove_prefix(skipped);
    if (bytes.empty()) return Offence::none;
    const std::size_t taken = std::min(kFrameHeader - have_, bytes.size());
    std::copy_n(bytes.begin(), taken, header_.begin() + have_);
    have_ = static_cast<std::uint8_t>(have_ + taken);
    bytes.remove_prefix(taken);
    if (have_ < kFrameHeader) return Offence::none;
    have_ = 0;
    const Frame frame = read_header();
    skip_ = frame.length;
    if (const Offence offence = judge(frame, now); offence != Offence::none) return offence;
    if (is_client_) follow(frame);
    if (broke_stream_) return Offence::none;
  }
}

Offence FrameWatch::judge(const Frame& frame, base::TimePoint now) noexcept {
  switch (frame.type) {
    case FrameType::data: return judge_data(frame, now);
    case FrameType::headers:
    case FrameType::push_promise:
    case FrameType::continuation: return judge_block(frame, now);
    case FrameType::rst_stream: return unless(resets_.take(now), Offence::rapid_reset);
    case FrameType::settings: return unless(settings_.take(now), Offence::settings_flood);
    case FrameType::ping: return unless(pings_.take(now), Offence::ping_flood);
    case FrameType::priority:
    case FrameType::priority_update: return unless(priorities_.take(now), Offence::priority_flood);
    case FrameType::window_update:
      return unless(window_updates_.take(now), Offence::window_update_flood);
    case FrameType::goaway: break;
  }
  return unless(unknown_frames_.take(now), Offence::unknown_frame_flood);
}

void FrameWatch::follow(const Frame& frame) {
  const bool ends = (frame.flags & kFlagEndStream) != 0;
  switch (frame.type) {
    case FrameType::headers:
      sending_.begin(frame.stream);
      if (ends) sending_.end(frame.stream);
      return;
    case FrameType::data:
      broke_stream_ = sending_.has_ended(frame.stream);
      if (ends) sending_.end(frame.stream);
      return;
    case FrameType::rst_stream: return sending_.end(frame.stream);
    default: return;
  }
}

Offence FrameWatch::judge_data(const Frame& frame, base::TimePoint now) noexcept {
  if ((frame.flags & kFlagEndStream) != 0 || frame.length >= limits_.tiny) return Offence::none;
  if (frame.length == 0) return unless(empty_frames_.take(now), Offence::empty_frame_flood);
  return unless(tiny_data_.take(now), Offence::tiny_data_flood);
}

Offence FrameWatch::judge_block(const Frame& frame, base::TimePoint now) noexcept {
  if (frame.type == FrameType::continuation) {
    ++continuations_;
  } else {
    ++blocks_;
    continuations_ = 0;
    block_bytes_ = 0;
  }
  block_bytes_ += frame.length;
  in_block_ = (frame.flags & kFlagEndHeaders) == 0;
  if (continuations_ > limits_.max_continuations || block_bytes_ > limits_.max_block) {
    return Offence::continuation_flood;
  }
  if (frame.length > 0) return Offence::none;
  return unless(empty_frames_.take(now), Offence::empty_frame_flood);
}

void FrameWatch::earn_by_data(std::size_t size, bool cut_by_window) noexcept {
  constexpr std::size_t kBytesForAToken = 1024;
  const auto earned = static_cast<std::uint32_t>(size / kBytesForAToken);
  window_updates_.give(cut_by_window ? earned : earned + 4);
  if (cut_by_window) return;
  pings_.give(1);
  tiny_data_.give(1);
}

}  // namespace http::h2
