// What goes back to the client: answers of our own, and the backend's, filtered.
#pragma once

#include "async/task.h"
#include "http/head.h"
#include "proxy/context.h"
#include "proxy/plan.h"

namespace proxy {

/// Sends an answer of our own: an error page, a redirect, a text. Nothing is sent if a head has
/// gone out already; the connection is then closed.
[[nodiscard]] async::Task<base::Result<void>> respond(Context& context, Answer answer);

/// Fills exchange.response from exchange.upstream_response: hop-by-hop and hidden fields removed,
/// redirects rewritten, our own added. False: too many fields.
[[nodiscard]] bool make_response(Context& context, const ForwardPlan& plan);

}  // namespace proxy
