// Commands that change what a running instance does, over the supervisor's control socket, and wait
// for the outcome.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace cli {

/// Where the instance is asked and told.
struct Instance {
  std::string admin_socket;
  std::string control_socket;
};

/// `sallyport reload`: 0 when the new configuration serves, 1 when it does not (and why).
[[nodiscard]] int run_reload(const Instance& instance, bool json);

/// `sallyport reopen`: 0 when no log is written to under its old name any more.
[[nodiscard]] int run_reopen(const Instance& instance);

/// `sallyport apply`: serves a configuration on trial, and takes it back when things get worse.
struct Trial {
  std::string file;  // absolute
  std::chrono::duration<double> watch{60};
  double max_server_errors = 0.01;  // share of 5xx among the responses since
  double max_p99_factor = 2;  // of the 99th percentile of request times before
};
/// 0: kept. 1: not applied, or taken back, and why.
[[nodiscard]] int run_apply(const Instance& instance, const Trial& trial);

/// "1%" or "0.01", and "2x" or "2". Nothing if it is neither, or not above 0.
[[nodiscard]] std::optional<double> parse_share(const std::string& text);
[[nodiscard]] std::optional<double> parse_factor(const std::string& text);
/// "60s", "5m", "1h30m", "90".
[[nodiscard]] std::optional<std::chrono::duration<double>> parse_watch(const std::string& text);

}  // namespace cli
