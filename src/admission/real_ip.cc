#include "admission/real_ip.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "config/setters.h"

namespace admission {
namespace {

using config::Binding;
using O = RealIpOptions;

void add_from(Binding& binding) {
  const auto network = base::Network::parse(binding.argument(0));
  if (!network) {
    return binding.invalid(0, "an address, a block such as 10.0.0.0/8, or \"unix:\"; host names are "
                              "not resolved here");
  }
  binding.options<O>().from.append(*network, binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "set_real_ip_from", .contexts = config::kHttpServerLocation,
     .repeat = config::Repeat::repeatable, .syntax = "ADDRESS | CIDR | unix:",
     .documentation = "Peers that are believed about the client's address.", .set = add_from},
    {.name = "real_ip_header", .contexts = config::kHttpServerLocation,
     .syntax = "X-Real-IP | X-Forwarded-For | FIELD | proxy_protocol", .default_text = "X-Real-IP",
     .documentation = "Where a trusted peer says the client's address.",
     .set = config::set_text<&O::header>},
    {.name = "real_ip_recursive", .contexts = config::kHttpServerLocation, .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether addresses of trusted peers in the list are passed over.",
     .set = config::set_flag<&O::recursive>},
};

bool is_trusted(const RealIpOptions& options, const base::Address& address) {
  return std::ranges::any_of(*options.from, [&](const base::Network& network) {
    return network.contains(address);
  });
}

std::optional<base::Address> parse_address(std::string_view text) {
  if (const auto with_port = base::Address::from_ip_and_port(text)) return with_port;
  return base::Address::from_ip(text, 0);
}

// Takes addresses from the end of the list. True while the next field should be looked at, too.
bool walk_list(const RealIpOptions& options, std::string_view list, exchange::Exchange& exchange) {
  while (!list.empty()) {
    const auto comma = list.find_last_of(", ");
    const std::string_view last =
        comma == std::string_view::npos ? list : list.substr(comma + 1);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(0, comma);
    if (base::trim(last).empty()) continue;
    const auto address = parse_address(base::trim(last));
    if (!address) return false;
    exchange.remote = *address;
    if (!*options.recursive || !is_trusted(options, *address)) return false;
  }
  return true;
}

}  // namespace

const config::Feature kRealIpFeature{"real_ip", kDirectives,
                                     config::inherit_options<RealIpOptions>};

void apply_real_ip(const config::Level& level, exchange::Exchange& exchange) {
  const auto& options = level.get<RealIpOptions>();
  if (options.from->empty() || !is_trusted(options, exchange.connection.peer)) return;
  if (*options.header == "proxy_protocol") {
    if (exchange.connection.proxy_protocol) exchange.remote = exchange.connection.proxy_protocol->source;
    return;
  }
  const auto fields = exchange.request.fields.all();
  for (std::size_t i = fields.size(); i > 0; --i) {
    const http::Field& field = fields[i - 1];
    if (!base::equal_ignoring_case(field.name, *options.header)) continue;
    if (!walk_list(options, field.value, exchange)) return;
  }
}

}  // namespace admission
