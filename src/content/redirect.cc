#include "content/redirect.h"

#include <array>
#include <charconv>

namespace content {

std::string_view absolute_location(std::string_view location, exchange::Exchange& exchange) {
  if (!location.starts_with('/')) return location;
  const std::string_view host = exchange.host();
  if (host.empty()) return location;
  const bool tls = exchange.connection.tls;
  const std::uint16_t port = exchange.connection.local.port();
  std::array<char, 8> digits{};
  std::string_view shown;
  if (port != 0 && port != (tls ? 443 : 80)) {
    digits[0] = ':';
    const auto end = std::to_chars(digits.begin() + 1, digits.end(), port).ptr;
    shown = std::string_view(digits.begin(), end);
  }
  return exchange.arena.join(tls ? "https://" : "http://", host, shown, location);
}

}  // namespace content
