// limit_req: whether a request goes on, waits, or is refused.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "config/level.h"
#include "exchange/exchange.h"
#include "guard/zone.h"
#include "observe/error_log.h"

namespace guard {

/// A line for the error log; none if it is empty. Never has a key in it: that may be a credential.
struct LogLine {
  observe::Level level = observe::Level::error;
  std::string_view text{};  // in the arena
};

struct LimitVerdict {
  enum class Kind : std::uint8_t { pass, delay, refuse };
  Kind kind = Kind::pass;
  unsigned status = 0;                  // of a refusal
  std::chrono::milliseconds delay{};    // of a delay
  LogLine line{};
  std::size_t evicted = 0;  // states of other keys that were dropped before their time
};

/// Counts the request in the zones of the level's limits, once in its life; sets
/// exchange.limit_req_status. `tables` are those of the level's configuration.
[[nodiscard]] LimitVerdict limit_requests(const config::Level& level, exchange::Exchange& exchange,
                                          Tables tables, base::TimePoint now);

}  // namespace guard
