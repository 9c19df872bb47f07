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

/// By `types` and the ending of the path as it stands, else default_type.
[[nodiscard]] std::string_view content_type(const Context& context);

/// For a response of our own that is not an Answer: Server and Date, which stand first in
/// exchange.response; then, when its own fields are there, what every response has behind them.
/// False: too many fields.
[[nodiscard]] bool begin_own_fields(Context& context);
[[nodiscard]] bool finish_own_fields(Context& context);

/// Trailers of ours follow the body, so that the head can't end it.
[[nodiscard]] bool has_trailers(const Context& context);
/// Ends the body, with the trailers that stand in exchange.response_trailers and our own.
[[nodiscard]] async::Task<base::Result<void>> finish_body(Context& context, io::Patience patience);

/// Fills exchange.response from exchange.upstream_response: hop-by-hop and hidden fields removed,
/// redirects rewritten, our own added. False: too many fields.
[[nodiscard]] bool make_response(Context& context, const ForwardPlan& plan);

}  // namespace proxy
