#pragma once

#include "exchange/exchange.h"

namespace script {

/// Gives the exchange the value of $request_id, unless it has it: 32 random hexadecimal digits.
void make_request_id(exchange::Exchange& exchange);

}  // namespace script
