// forward: the content handler of proxy_pass. Chooses a backend, sends the request, relays the
// answer; tries again where that is safe.
#pragma once

#include <optional>

#include "async/task.h"
#include "proxy/context.h"
#include "proxy/plan.h"

namespace proxy {

/// Nothing when the response has been sent (or begun), else what to answer.
[[nodiscard]] async::Task<std::optional<Answer>> forward(Context& context, const ForwardPlan& plan);

}  // namespace proxy
