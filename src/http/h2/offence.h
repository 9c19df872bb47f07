// Offence: why a connection was ended with ENHANCE_YOUR_CALM. One value for each limit, so that a
// counter, a log line and a test can name it.
#pragma once

#include <cstdint>
#include <string_view>

#include "observe/counters.h"

namespace http::h2 {

// clang-format off
// name, counter
#define SALLYPORT_H2_OFFENCES(X)                        \
  X(rapid_reset, limit_h2_resets)                       \
  X(continuation_flood, limit_h2_continuations)         \
  X(settings_flood, limit_h2_settings)                  \
  X(ping_flood, limit_h2_pings)                         \
  X(priority_flood, limit_h2_priorities)                \
  X(window_update_flood, limit_h2_window_updates)       \
  X(empty_frame_flood, limit_h2_empty_frames)           \
  X(tiny_data_flood, limit_h2_tiny_data)                \
  X(unknown_frame_flood, limit_h2_unknown_frames)       \
  X(header_bomb, limit_h2_decoded)                      \
  X(queue_flood, limit_h2_queue)
// clang-format on

enum class Offence : std::uint8_t {
  none,
#define SALLYPORT_H2_OFFENCE(name, counter) name,
  SALLYPORT_H2_OFFENCES(SALLYPORT_H2_OFFENCE)
#undef SALLYPORT_H2_OFFENCE
};

/// "rapid_reset", for the error log.
[[nodiscard]] constexpr std::string_view name_of(Offence offence) noexcept {
  switch (offence) {
    case Offence::none: return "none";
#define SALLYPORT_H2_OFFENCE(name, counter) \
  case Offence::name: return #name;
      SALLYPORT_H2_OFFENCES(SALLYPORT_H2_OFFENCE)
#undef SALLYPORT_H2_OFFENCE
  }
  return {};
}

/// Not for `none`.
[[nodiscard]] constexpr observe::Counter counter_of(Offence offence) noexcept {
  switch (offence) {
#define SALLYPORT_H2_OFFENCE(name, counter) \
  case Offence::name: return observe::Counter::counter;
    SALLYPORT_H2_OFFENCES(SALLYPORT_H2_OFFENCE)
#undef SALLYPORT_H2_OFFENCE
    case Offence::none: break;
  }
  return observe::Counter::limit_h2_resets;
}

}  // namespace http::h2
