// The value of a zone's key for one request.
#pragma once

#include <optional>
#include <string_view>

#include "guard/limit_req.h"
#include "guard/zone.h"

namespace guard {

/// Nothing where the request is not counted: its key is empty, or longer than `longest`, of which
/// `line` is set.
[[nodiscard]] std::optional<std::string_view> key_of(const Zone& zone, exchange::Exchange& exchange,
                                                     std::size_t longest, LogLine& line);

}  // namespace guard
