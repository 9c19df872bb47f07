// Names of a request's fields that nginx calls invalid: with other characters than letters, digits
// and "-". Backends that make environment variables of names take them for others.
#pragma once

#include "proxy/context.h"

namespace proxy {

/// Once the server is known: they are gone, for variables and backends alike, unless
/// ignore_invalid_headers is off or underscores_in_headers has them valid.
void drop_invalid_fields(Context& context);

}  // namespace proxy
