// try_files: the first of several files that is there.
#pragma once

#include <optional>

#include "proxy/context.h"

namespace proxy {

/// If the level has a try_files: the path becomes that of the file found, or the request goes where
/// the last word says (context.reroute), or an answer.
[[nodiscard]] std::optional<Answer> try_files(Context& context);

}  // namespace proxy
