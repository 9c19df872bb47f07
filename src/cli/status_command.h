// `sallyport status`: what a running instance does; once, again and again, or only whether it is
// well.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace cli {

struct StatusRequest {
  std::string socket;  // the admin socket
  bool json = false;
  std::optional<std::chrono::duration<double>> every;  // --watch
};

/// The exit status. With `every` it goes on until a signal ends it.
[[nodiscard]] int run_status(const StatusRequest& request);

/// `question` is "ready" or "alive". 0: yes; 1: no, or nobody answers.
[[nodiscard]] int run_health(const std::string& socket, const std::string& question);

}  // namespace cli
