// What a backend tells the proxy itself, by X-Accel-* fields. They are not for clients, and hidden
// from them; `proxy_ignore_headers` has the proxy not listen to them.
#pragma once

#include "proxy/context.h"
#include "proxy/plan.h"

namespace proxy {

/// X-Accel-Limit-Rate, X-Accel-Charset and X-Accel-Buffering of exchange.upstream_response. What is
/// no size, or neither "yes" nor "no", says nothing.
void take_instructions(Context& context, const ForwardPlan& plan);

}  // namespace proxy
