#include "content/redirect.h"

#include <array>
#include <charconv>
#include <cstdint>

#include "config/setters.h"

namespace content {
namespace {

using O = RedirectOptions;

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "absolute_redirect",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether redirects of the proxy's own have scheme and host, or a path alone.",
     .set = config::set_flag<&O::absolute>},
    {.name = "port_in_redirect",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether redirects of the proxy's own have the listener's port, where it is "
                      "not the scheme's own.",
     .set = config::set_flag<&O::with_port>},
    {.name = "server_name_in_redirect",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether redirects of the proxy's own have the first server_name instead of "
                      "the name that was asked "
                      "for.",
     .set = config::set_flag<&O::with_server_name>},
};

}  // namespace

const config::Feature kRedirectFeature{"redirect", kDirectives,
                                       config::inherit_options<RedirectOptions>};

std::string_view absolute_location(std::string_view location, exchange::Exchange& exchange,
                                   const RedirectOptions& options) {
  if (!location.starts_with('/') || !*options.absolute) return location;
  const bool named = *options.with_server_name && !exchange.server_name.empty();
  const std::string_view host = named ? exchange.server_name : exchange.host();
  if (host.empty()) return location;
  const bool tls = exchange.connection.tls;
  const std::uint16_t port = exchange.connection.local.port();
  std::array<char, 8> digits{};
  std::string_view shown;
  if (*options.with_port && port != 0 && port != (tls ? 443 : 80)) {
    digits[0] = ':';
    const auto end = std::to_chars(digits.begin() + 1, digits.end(), port).ptr;
    shown = std::string_view(digits.begin(), end);
  }
  return exchange.arena.join(tls ? "https://" : "http://", host, shown, location);
}

}  // namespace content
