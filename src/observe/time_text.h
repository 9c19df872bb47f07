// The notations of time that logs use, made once a second and thread, not once a line.
//
// Local time is asked from the C library, which reads /etc/localtime on first use: call any of
// these once before the sandbox closes.
#pragma once

#include <string_view>

#include "base/clock.h"

namespace observe {

/// Views of the calling thread's cache, valid until its next call with another second.
struct TimeTexts {
  std::string_view error_log;  // "2026/11/23 09:34:28"
  std::string_view common;     // "23/Nov/2026:09:34:28 +0100": nginx's $time_local
  std::string_view iso8601;    // "2026-11-23T09:34:28+01:00"
  std::string_view syslog;     // "Nov 23 09:34:28", RFC 3164 §4.1.2
};
[[nodiscard]] TimeTexts local_time_texts(base::WallTime time) noexcept;

}  // namespace observe
