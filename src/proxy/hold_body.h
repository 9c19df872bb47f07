// The step that receives a request's body whole, before whoever needs it goes on.
#pragma once

#include <optional>

#include "async/task.h"
#include "proxy/context.h"

namespace proxy {

/// Fills context.held, which is null. An answer where the body can't be had: it is refused then,
/// also for what an error_page may lead to.
[[nodiscard]] async::Task<std::optional<Answer>> hold_body(Context& context);

}  // namespace proxy
