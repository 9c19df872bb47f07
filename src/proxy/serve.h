// serve: the life of one request, from its head to the end of its response.
#pragma once

#include "async/task.h"
#include "proxy/context.h"

namespace proxy {

/// The context has a request, and the server that its listener has by default. Ends when the
/// response has been sent or the exchange was given up; exchange.response.status says how.
[[nodiscard]] async::Task<void> serve(Context& context);

/// The virtual server for exchange.request.host; `context.level` becomes its level.
void select_server(Context& context);

}  // namespace proxy
