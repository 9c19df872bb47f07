#include "admission/real_ip.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "config/setters.h"
#include "http/characters.h"

namespace admission {
namespace {

using config::Binding;
using O = RealIpOptions;

void add_from(Binding& binding) {
  const auto network = base::Network::parse(binding.argument(0));
  if (!network) {
    return binding.invalid(0,
                           "an address, a block such as 10.0.0.0/8, or \"unix:\"; host names are "
                           "not resolved here");
  }
  binding.options<O>().from.append(*network, binding.where());
}

void set_header(Binding& binding) {
  if (!http::is_token(binding.argument(0))) {
    return binding.invalid(0, "a field's name without a colon, or proxy_protocol");
  }
  config::set_text<&O::header>(binding);
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "set_real_ip_from",
     .contexts = config::kHttpServerLocation,
     .repeat = config::Repeat::repeatable,
     .syntax = "ADDRESS | CIDR | unix:",
     .documentation = "Peers that are believed about the client's address.",
     .set = add_from},
    {.name = "real_ip_header",
     .contexts = config::kHttpServerLocation,
     .syntax = "X-Real-IP | X-Forwarded-For | FIELD | proxy_protocol",
     .default_text = "X-Real-IP",
     .documentation = "Where a trusted peer says the client's address.",
     .set = set_header},
    {.name = "real_ip_recursive",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether addresses of trusted peers in the list are passed over.",
     .set = config::set_flag<&O::recursive>},
};

bool is_trusted(const RealIpOptions& options, const base::Address& address) {
  return std::ranges::any_of(
      *options.from, [&](const base::Network& network) { return network.contains(address); });
}

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1" or "[2001:db8::1]:80"; brackets are for ports only.
std::optional<base::Address> parse_address(std::string_view text) {
  if (const auto with_port = base::Address::from_ip_and_port(text)) {
    return with_port->port() != 0 ? with_port : std::nullopt;
  }
  return text.starts_with('[') ? std::nullopt : base::Address::from_ip(text, 0);
}

// Takes addresses from the end of the list. True when all of it was taken and the last one is
// trusted, too: the search may go on in the field before.
bool walk_list(const RealIpOptions& options, std::string_view list, exchange::Exchange& exchange) {
  constexpr std::string_view kSeparators = " \t,";
  for (;;) {
    const auto end = list.find_last_not_of(kSeparators);
    if (end == std::string_view::npos) return false;
    list = list.substr(0, end + 1);
    const auto separator = list.find_last_of(kSeparators);
    const bool is_first = separator == std::string_view::npos;
    const auto address = parse_address(is_first ? list : list.substr(separator + 1));
    if (!address) return false;
    exchange.remote = *address;
    if (!*options.recursive || !is_trusted(options, *address)) return false;
    if (is_first) return true;
    list = list.substr(0, separator);
  }
}

// A list may be spread over several fields (RFC 9110 §5.3); the last one is the nearest proxy's.
void read_forwarded_for(const RealIpOptions& options, exchange::Exchange& exchange) {
  const auto fields = exchange.request.fields.all();
  for (std::size_t i = fields.size(); i > 0; --i) {
    const http::Field& field = fields[i - 1];
    if (field.id != http::FieldName::x_forwarded_for) continue;
    if (!walk_list(options, field.value, exchange)) return;
  }
}

}  // namespace

const config::Feature kRealIpFeature{"real_ip", kDirectives,
                                     config::inherit_options<RealIpOptions>};

void apply_real_ip(const config::Level& level, exchange::Exchange& exchange) {
  const auto& options = level.get<RealIpOptions>();
  if (options.from->empty() || exchange.remote != exchange.connection.peer) return;
  if (!is_trusted(options, exchange.connection.peer)) return;
  if (*options.header == "proxy_protocol") {
    // A PROXY header may come without addresses, or with those of Unix sockets.
    const auto& stated = exchange.connection.proxy_protocol;
    if (stated && stated->source.is_ip()) exchange.remote = stated->source;
    return;
  }
  if (http::intern(*options.header) == http::FieldName::x_forwarded_for) {
    return read_forwarded_for(options, exchange);
  }
  const http::Field* field = exchange.request.fields.find(*options.header);
  if (field != nullptr) static_cast<void>(walk_list(options, field->value, exchange));
}

}  // namespace admission
