// limit_conn: how many requests of one key are under way.
#pragma once

#include "config/level.h"
#include "exchange/exchange.h"
#include "guard/connection_slots.h"
#include "guard/limit_req.h"

namespace guard {

/// Takes a place in the zone of each of the level's limits, once in the request's life; sets
/// exchange.limit_conn_status. `slots` gives the places back. What is refused keeps none.
[[nodiscard]] LimitVerdict limit_connections(const config::Level& level,
                                             exchange::Exchange& exchange, Tables tables,
                                             ConnectionSlots& slots);

}  // namespace guard
