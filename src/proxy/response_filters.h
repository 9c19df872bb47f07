// Which body filters take part in a response, in nginx's order:
//
//   gunzip -> addition -> sub -> charset -> ssi -> gzip
//
// Each sees the head as those before it have left it.
#pragma once

#include "http/body_sink.h"
#include "proxy/context.h"

namespace proxy {

/// When the head is finished but for them: lets the filters change it and puts them before the
/// client. `between`: see FilteringResponder. False: too many fields.
[[nodiscard]] bool start_filters(Context& context, http::Then between);

/// Whether a filter would change the body of exchange.response, as far as its head is known: the
/// status, the type, the length. There are no ranges of it then.
[[nodiscard]] bool filters_apply(const Context& context);

}  // namespace proxy
