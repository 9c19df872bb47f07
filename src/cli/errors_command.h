// `sallyport errors`: the lines of `error_log memory:SIZE`, of the supervisor and of the server
// process.
#pragma once

#include <string>
#include <string_view>

#include "cli/control_commands.h"

namespace cli {

/// The exit status.
[[nodiscard]] int run_errors(const Instance& instance);

/// The lines of both by their times, those of one text in their order.
[[nodiscard]] std::string merge_lines(std::string_view one, std::string_view other);

}  // namespace cli
