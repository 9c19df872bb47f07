#include "admission/real_ip.h"

#include "config/setters.h"
#include "http/characters.h"
#include "http/forwarded_for.h"

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

}  // namespace

const config::Feature kRealIpFeature{"real_ip", kDirectives,
                                     config::inherit_options<RealIpOptions>};

void apply_real_ip(const config::Level& level, exchange::Exchange& exchange) {
  const auto& options = level.get<RealIpOptions>();
  if (options.from->empty() || exchange.remote != exchange.connection.peer) return;
  const http::ForwardedSearch search(*options.from, *options.recursive);
  if (!search.is_trusted(exchange.connection.peer)) return;
  if (*options.header == "proxy_protocol") {
    // A PROXY header may come without addresses, or with those of Unix sockets.
    const auto& stated = exchange.connection.proxy_protocol;
    if (stated && stated->source.is_ip()) exchange.remote = stated->source;
    return;
  }
  if (http::intern(*options.header) == http::FieldName::x_forwarded_for) {
    return search.walk_forwarded_for(exchange.request.fields, exchange.remote);
  }
  const http::Field* field = exchange.request.fields.find(*options.header);
  if (field != nullptr) static_cast<void>(search.walk_list(field->value, exchange.remote));
}

}  // namespace admission
