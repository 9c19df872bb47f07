// CHECK: what to do about a bug. Always on, in every build: a proxy that continues after its own
// invariant broke is a vulnerability. The world (peers, kernel, files) never meets CHECK; it gives
// a base::Result. The supervisor starts a server that died of a CHECK again.
#pragma once

namespace base {

/// Writes "CHECK failed: EXPRESSION at FILE:LINE" to stderr and aborts. Async-signal-safe.
[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace base

#define CHECK(condition)                                    \
  do {                                                      \
    if (!(condition)) [[unlikely]]                          \
      ::base::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
