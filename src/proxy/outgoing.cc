#include "proxy/outgoing.h"

#include <algorithm>

#include "base/text.h"
#include "http/characters.h"
#include "http/list.h"
#include "http/path.h"
#include "proxy/extended_connect.h"

namespace proxy {
namespace {

using http::Field;
using http::FieldName;

// What only a proxy that is trusted may say about the client (threats.md #14).
bool claims_origin(FieldName id) {
  switch (id) {
    case FieldName::x_forwarded_for:
    case FieldName::x_forwarded_host:
    case FieldName::x_forwarded_port:
    case FieldName::x_forwarded_prefix:
    case FieldName::x_forwarded_proto:
    case FieldName::x_forwarded_server:
    case FieldName::forwarded:
    case FieldName::x_real_ip: return true;
    default: return false;
  }
}

// "X_Forwarded_For" as well: backends may read both as one.
bool may_claim_origin(std::string_view name) {
  constexpr std::string_view kPrefix = "x-forwarded-";
  return http::equal_folded(name.substr(0, kPrefix.size()), kPrefix) ||
         claims_origin(http::intern_folded(name));
}

bool is_forwarded(const Context& context, const ForwardPlan& plan, const Field& field,
                  bool check_connection) {
  const bool trusted = context.exchange.trusted_peer;
  switch (field.id) {
    case FieldName::host:
    case FieldName::content_length:
    case FieldName::expect: return false;
    case FieldName::proxy: return false;  // HTTP_PROXY of CGI programs ("httpoxy")
    case FieldName::other:
      if (!trusted && may_claim_origin(field.name)) return false;
      if (check_connection && named_by_connection(context.exchange.request.fields, field))
        return false;
      break;
    default:
      if (http::is_hop_by_hop(field.id)) return false;
      if (!trusted && claims_origin(field.id)) return false;
  }
  return !plan.set_names.has(field.id, field.name);
}

// RFC 9113 §3.1 took h2c upgrades away; passed on they are a way around inspection.
bool is_upgrade_to_pass(std::string_view protocols) {
  return !protocols.empty() && !http::list_has(protocols, "h2c");
}

// Do the received bytes decode to exactly `path`? canonical_path has accepted them, so they differ
// at most by merged slashes and dot segments, which take slashes away or stand at the end, and by
// decoded slashes, which bring some.
bool says_the_same(std::string_view raw, std::string_view path, http::EncodedSlash policy) {
  if (raw.data() == path.data()) return true;
  if (policy == http::EncodedSlash::decode &&
      (raw.find("%2F") != std::string_view::npos || raw.find("%2f") != std::string_view::npos)) {
    return false;
  }
  return std::ranges::count(raw, '/') == std::ranges::count(path, '/') && !raw.ends_with("/.");
}

std::string_view build_target(Context& context, const ForwardPlan& plan, const PassTarget& target) {
  exchange::Exchange& exchange = context.exchange;
  const auto policy = context.encoded_slash();
  std::string_view path;
  if (target.uri && plan.dynamic) {
    return *target.uri;  // variables gave all of it, query included
  }
  if (target.uri && exchange.path_is_routed) {
    const std::string_view rest =
        exchange.uri.substr(std::min(plan.replaced_prefix, exchange.uri.size()));
    path = exchange.arena.join(*target.uri, http::escape_path(rest, policy, exchange.arena));
  } else if (exchange.request.form == http::TargetForm::asterisk) {
    return "*";
  } else if (!exchange.uri_changed &&
             (plan.as_received || says_the_same(exchange.request.raw_path, exchange.uri, policy))) {
    path = exchange.request.raw_path;
  } else {
    path = http::escape_path(exchange.uri, policy, exchange.arena);
  }
  const bool has_args =
      !exchange.args.empty() || (exchange.request.has_query && !exchange.uri_changed);
  return has_args ? exchange.arena.join(path, "?", exchange.args) : path;
}

// $proxy_host and $proxy_port: nginx calls every Unix socket "localhost", without a port.
void name_destination(exchange::Exchange& exchange, std::string_view authority,
                      std::uint16_t port) {
  const bool is_unix = authority.starts_with("unix:");
  exchange.proxy_host = is_unix ? std::string_view("localhost") : authority;
  exchange.proxy_port = is_unix ? std::uint16_t{0} : port;
}

// One that began with a client's address serves nobody else.
bool keeps_connections(const ForwardPlan& plan, const upstream::KeepAlive& keep_alive) {
  return keep_alive.max_idle > 0 && !plan.options->proxy_protocol->has_value();
}

std::uint16_t port_of(std::string_view authority, std::uint16_t standard) {
  const auto colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.ends_with(']')) return standard;
  return base::parse_number<std::uint16_t>(authority.substr(colon + 1)).value_or(standard);
}

}  // namespace

bool named_by_connection(const http::Fields& fields, const Field& field) {
  if (field.id != FieldName::other) return false;
  return std::ranges::any_of(fields, [&](const Field& other) {
    return other.id == FieldName::connection && http::list_has(other.value, field.name);
  });
}

std::expected<Destination, std::string> choose_destination(Context& context,
                                                           const ForwardPlan& plan) {
  exchange::Exchange& exchange = context.exchange;
  if (!plan.dynamic) {
    name_destination(exchange, plan.target.authority, plan.port);
    return Destination{.https = plan.target.https,
                       .authority = plan.target.authority,
                       .target = build_target(context, plan, plan.target),
                       .group = nullptr,
                       .keeps_connections = keeps_connections(plan, plan.cluster->keep_alive)};
  }
  const std::string_view url = plan.dynamic->evaluate(exchange);
  auto parsed = parse_pass_target(url, plan.protocol);
  if (!parsed) return std::unexpected(parsed.error() + " in \"" + std::string(url) + "\"");
  Destination destination;
  destination.https = parsed->https;
  destination.authority = exchange.arena.copy(parsed->authority);
  destination.target = exchange.arena.copy(build_target(context, plan, *parsed));
  destination.group = context.site.group(destination.authority);
  const upstream::KeepAlive& keep_alive =
      destination.group != nullptr ? destination.group->spec().keep_alive : plan.keep_alive;
  destination.keeps_connections = keeps_connections(plan, keep_alive);
  name_destination(exchange, destination.authority,
                   port_of(destination.authority, parsed->https ? 443 : 80));
  return destination;
}

base::Result<void> make_request(Context& context, const ForwardPlan& plan,
                                const Destination& destination, http::OutgoingRequest& request,
                                bool& upgrade) {
  exchange::Exchange& exchange = context.exchange;
  const http::RequestHead& received = exchange.request;
  request.method = received.method_text;
  if (plan.method) {
    request.method = plan.method->evaluate(exchange);
    const bool usable = http::is_token(request.method) &&
                        http::parse_method(request.method) != http::Method::connect;
    if (!usable) {
      return base::fail(base::ErrorCode::invalid, "the value of \"proxy_method\" is no method");
    }
  }
  request.target = destination.target;
  request.version = *plan.options->http_version;
  request.scheme = destination.https ? "https" : "http";
  const bool http2 = request.version == http::Version::http_2;
  bool fits = true;
  std::string_view connection;
  std::string_view protocols;
  for (const HeaderPlan& header : plan.set_headers) {
    const std::string_view value = header.value.evaluate(exchange);
    if (header.id == FieldName::connection) {
      connection = value;
    } else if (header.id == FieldName::upgrade) {
      protocols = value;
    } else if (!value.empty()) {
      fits = fits && request.fields.add(Field{header.id, header.name, value});
    }
  }
  const bool check_connection = received.fields.has(FieldName::connection);
  if (*plan.options->pass_request_headers) {
    for (const Field& field : received.fields) {
      if (is_forwarded(context, plan, field, check_connection))
        fits = fits && request.fields.add(field);
    }
  }
  // RFC 8470 §5.1: the backend may know better whether a replay does harm, and answer 425.
  if (exchange.early && !received.fields.has(FieldName::early_data) &&
      !plan.set_names.has(FieldName::early_data, "Early-Data")) {
    fits = fits && request.fields.add(FieldName::early_data, "1");
  }
  // RFC 9110 §8.6: a body that is there but empty is told from none.
  if (!request.body.has_body() &&
      (received.body.has_body() || received.fields.has(FieldName::content_length))) {
    fits = fits && request.fields.add(FieldName::content_length, "0");
  }
  // RFC 9110 §10.1.4: who can take trailers; gRPC servers answer nobody else.
  if (http2 &&
      (plan.speaks_grpc || http::list_has(received.fields.value(FieldName::te), "trailers")) &&
      !plan.set_names.has(FieldName::te, "TE")) {
    fits = fits && request.fields.add(FieldName::te, "trailers");
  }
  upgrade = received.upgrade && http::list_has(connection, "upgrade") &&
            is_upgrade_to_pass(protocols) && received.version != http::Version::http_1_0 &&
            // A tunnel beside a body that is still on its way: two writers, one stream.
            !received.body.has_body();
  if (http2) {
    // Nothing that belongs to a connection (RFC 9113 §8.2.2), and so no choice of protocols.
    upgrade = upgrade && http::is_token(protocols);
    if (upgrade) make_extended_connect(protocols, request);
  } else if (upgrade) {
    fits = fits && request.fields.add(FieldName::connection, "upgrade") &&
           request.fields.add(FieldName::upgrade, protocols);
  } else if (!destination.keeps_connections || http::list_has(connection, "close")) {
    fits = fits && request.fields.add(FieldName::connection, "close");
  } else if (request.version == http::Version::http_1_0) {
    fits = fits && request.fields.add(FieldName::connection, "keep-alive");
  }
  if (!fits)
    return base::fail(base::ErrorCode::too_large, "too many header fields for the backend");
  return {};
}

}  // namespace proxy
