// The rewrite phases: what `set`, `rewrite`, `if`, `break` and `return` of a block do to a request.
#pragma once

#include <optional>

#include "config/level.h"
#include "proxy/context.h"

namespace proxy {

/// Runs the program of exactly that level, if it has one. Gives an answer, or sets context.reroute
/// where another location is to be looked for, or neither.
[[nodiscard]] std::optional<Answer> rewrite(Context& context, const config::Level& level);

}  // namespace proxy
