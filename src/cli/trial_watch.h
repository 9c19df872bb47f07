// TrialWatch: whether a configuration on trial makes things worse, from two looks at the status:
// one before it was applied and the latest one. Pure: it knows no clock and no socket.
//
// Few requests say little: shares count from kMinResponses on, percentiles from kMinTimes on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/request_times.h"

namespace cli {

/// What matters of a status.
struct Sample {
  std::uint64_t server = 0;    // pid of the server process
  std::uint64_t restarts = 0;
  std::uint64_t responses = 0;
  std::uint64_t server_errors = 0;  // 5xx
  RequestTimes request_times;
};
/// Of `status --format json`. What is missing is 0.
[[nodiscard]] Sample read_sample(std::string_view status);

class TrialWatch {
 public:
  static constexpr std::uint64_t kMinResponses = 20;
  static constexpr std::uint64_t kMinTimes = 100;

  TrialWatch(Sample before, double max_server_errors, double max_p99_factor)
      : before_(std::move(before)),
        max_server_errors_(max_server_errors),
        max_p99_factor_(max_p99_factor) {}

  /// What is wrong, as a sentence; empty if nothing is.
  [[nodiscard]] std::string judge(const Sample& now) const;
  /// "1,204 responses, 0.0 % of them 5xx, p99 3.1 ms (4.0 ms before)".
  [[nodiscard]] std::string describe(const Sample& now) const;

 private:
  struct Since {
    std::uint64_t responses = 0;
    std::uint64_t server_errors = 0;
    RequestTimes request_times;
  };
  [[nodiscard]] Since since(const Sample& now) const;

  Sample before_;
  double max_server_errors_;
  double max_p99_factor_;
};

}  // namespace cli
