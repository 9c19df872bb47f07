// proxy_force_ranges: a byte range of an answer whose backend does not know ranges. The backend is
// asked for the whole, and the client is sent what it wants of it: one range, as nginx does; a list
// of them is answered with the whole.
#pragma once

#include "proxy/context.h"

namespace proxy {

/// For a 200 of known length, when its fields are in exchange.response: says that there are ranges,
/// and makes it a 206 or 416 if one was asked for (context.only then says what is sent). False: too
/// many fields.
[[nodiscard]] bool offer_ranges(Context& context);

}  // namespace proxy
