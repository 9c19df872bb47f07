// limit_rate, limit_rate_after, proxy_limit_rate: how fast a response may be sent, or read from a
// backend, at most.
//
// RateLimit has a budget of bytes: `after` of them at once, then a second's worth, then `rate` per
// second since it began. Whoever moves bytes asks how many there may be, and waits where there are
// none. A second's worth at first keeps small responses as quick as they are.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>

#include "async/task.h"
#include "base/clock.h"
#include "config/directive.h"
#include "io/event_loop.h"
#include "script/value.h"

namespace proxy {

struct Context;

class RateLimit {
 public:
  /// No limit.
  RateLimit() noexcept = default;
  /// Bytes per second, 0 for no limit; the first `after` bytes don't count.
  RateLimit(std::uint64_t rate, std::uint64_t after, base::TimePoint start) noexcept;

  [[nodiscard]] bool limited() const noexcept { return rate_ != 0; }
  /// How many of `wanted` bytes may be moved now; 0: wait until next().
  [[nodiscard]] std::uint64_t allowance(base::TimePoint now, std::uint64_t wanted) const noexcept;
  [[nodiscard]] base::TimePoint next(base::TimePoint now) const noexcept;
  void moved(std::uint64_t bytes) noexcept { moved_ += bytes; }

 private:
  [[nodiscard]] std::uint64_t budget(base::TimePoint now) const noexcept;

  std::uint64_t rate_ = 0;
  std::uint64_t after_ = 0;
  std::uint64_t moved_ = 0;
  base::TimePoint start_{};
};

/// Waits until at least one of `wanted` bytes may be moved, and says how many (`wanted`, where
/// there is no limit). Error cancelled when the Scope stops first.
[[nodiscard]] async::Task<base::Result<std::uint64_t>> take_turn(io::EventLoop& loop,
                                                                 const RateLimit& limit,
                                                                 std::uint64_t wanted);

struct LimitRateOptions {
  config::Setting<std::optional<config::Word>> rate;
  config::Setting<std::optional<config::Word>> after;
  auto settings(this auto& self) { return std::tie(self.rate, self.after); }
};

struct LimitRatePlan {
  script::Value rate;
  script::Value after;
};

extern const config::Feature kLimitRateFeature;

/// A size, or a text with variables. False: neither, and reported.
[[nodiscard]] bool check_rate(const config::Binding& binding);

/// After inheritance, for each server and location level.
void provision_limit_rate(config::Level& level, script::Variables& variables,
                          config::Diagnostics& diagnostics);

/// What a value with a size in it says; 0 where that is none.
[[nodiscard]] std::uint64_t size_of(const script::Value& value, exchange::Exchange& exchange);

/// For the response that begins now: $limit_rate if it was set, else limit_rate.
[[nodiscard]] RateLimit response_rate(Context& context);

}  // namespace proxy
