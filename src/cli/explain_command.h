// `explain`: which way a request would take, without any traffic.
#pragma once

#include <string>
#include <vector>

#include "server/opening.h"

namespace cli {

struct ExplainOptions {
  std::string request;  // 'GET https://host/path'
  std::vector<std::string> headers{};
  std::string from = "127.0.0.1";
  std::vector<std::string> assumptions{};  // "auth=200"
  bool json = false;
};

/// The exit status: 0 if there is an explanation, whatever it says.
[[nodiscard]] int run_explain(const server::StartOptions& options, const ExplainOptions& wanted);

}  // namespace cli
