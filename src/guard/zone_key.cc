#include "guard/zone_key.h"

#include <fmt/format.h>

namespace guard {

std::optional<std::string_view> key_of(const Zone& zone, exchange::Exchange& exchange,
                                       std::size_t longest, LogLine& line) {
  const std::string_view text = zone.key.evaluate(exchange);
  if (text.empty()) return std::nullopt;
  if (text.size() <= longest) return text;
  line = {observe::Level::error,
          exchange.arena.copy(fmt::format("the value of the \"{}\" key is more than {} bytes",
                                          zone.spec.key, longest))};
  return std::nullopt;
}

}  // namespace guard
