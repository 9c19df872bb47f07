// Variables of forwarding: what is said to the backend, and what came of the attempts.
#include <array>

#include "base/text.h"
#include "script/getters.h"

namespace script {
namespace {

using exchange::Attempt;
using exchange::Exchange;
using http::FieldName;

// One element for each attempt, with nginx's separators: " : " where an internal redirect began
// anew (an element without endpoint), else ", ".
template <class Element>
Text list_attempts(Exchange& ex, Element element) {
  const std::span<const Attempt> attempts = ex.all_attempts();
  if (attempts.empty()) return std::nullopt;
  std::array<std::string_view, 2 * Exchange::kMaxAttempts> pieces;
  std::size_t count = 0;  // <= 2 * attempts.size(): at most a separator and an element for each
  bool boundary = false;
  for (const Attempt& attempt : attempts) {
    if (attempt.endpoint.empty()) {
      boundary = true;
      continue;
    }
    if (count != 0) pieces[count++] = boundary ? " : " : ", ";
    boundary = false;
    pieces[count++] = element(attempt);
  }
  return count == 1 ? pieces[0] : ex.arena.concat(std::span(pieces).first(count));
}

template <auto Member>
Text list_times(Exchange& ex) {
  return list_attempts(ex, [&ex](const Attempt& attempt) {
    const auto& time = attempt.*Member;
    return time ? seconds_text(ex.arena, *time) : std::string_view("-");
  });
}
template <auto Member>
Text list_sizes(Exchange& ex) {
  return list_attempts(
      ex, [&ex](const Attempt& attempt) { return number_text(ex.arena, attempt.*Member); });
}

// Nothing is kept yet, so there is nothing to tell: as in nginx where no cache is asked.
Text upstream_cache_status(Exchange& /*ex*/) { return std::nullopt; }

Text upstream_addr(Exchange& ex) {
  return list_attempts(ex, [](const Attempt& attempt) { return attempt.endpoint; });
}
Text upstream_status(Exchange& ex) {
  return list_attempts(ex, [&ex](const Attempt& attempt) {
    return attempt.status != 0 ? number_text(ex.arena, attempt.status) : std::string_view("-");
  });
}

Text upstream_header(Exchange& ex, const Suffix& name) {
  return joined_fields(ex.arena, ex.upstream_response.fields, name);
}
Text upstream_trailer(Exchange& ex, const Suffix& name) {
  return joined_fields(ex.arena, ex.upstream_trailers, name);
}

// nginx's ngx_http_parse_set_cookie_lines: "NAME = value;" at the beginning of a Set-Cookie.
Text upstream_cookie(Exchange& ex, const Suffix& name) {
  for (const http::Field& field : ex.upstream_response.fields) {
    std::string_view rest = field.value;
    if (field.id != FieldName::set_cookie || !base::starts_with_ignoring_case(rest, name.text)) {
      continue;
    }
    rest.remove_prefix(name.text.size());
    skip_spaces(rest);
    if (!rest.starts_with('=')) continue;
    rest.remove_prefix(1);
    skip_spaces(rest);
    return rest.substr(0, rest.find(';'));
  }
  return std::nullopt;
}

Text proxy_host(Exchange& ex) { return ex.proxy_host.empty() ? std::nullopt : Text(ex.proxy_host); }
Text proxy_port(Exchange& ex) {
  if (ex.proxy_host.empty()) return std::nullopt;
  return ex.proxy_port != 0 ? number_text(ex.arena, ex.proxy_port) : "";
}

// What a client claims about those before it is worth nothing unless it is trusted.
Text proxy_add_x_forwarded_for(Exchange& ex) {
  const Text remote = ip_text(ex.arena, ex.remote);
  if (!ex.trusted_peer) return remote;
  const Text claimed = joined_fields(ex.arena, ex.request.fields, FieldName::x_forwarded_for);
  if (!claimed) return remote;
  return ex.arena.join(*claimed, ", ", remote.value_or(std::string_view{}));
}

// RFC 9110 §7.6.3; a pseudonym stands for the host's name. nginx has the name, but no value for it.
Text proxy_add_via(Exchange& ex) {
  std::string_view version = http::text_of(ex.request.version);
  version.remove_prefix(std::min(version.find('/') + 1, version.size()));
  const Text before = joined_fields(ex.arena, ex.request.fields, FieldName::via);
  return ex.arena.join(before.value_or(std::string_view{}), before ? ", " : "", version,
                       " sallyport");
}

constexpr VariableSpec kTable[] = {
    {.name = "proxy_add_via",
     .get = of_exchange<proxy_add_via>,
     .documentation = "the request's Via with this proxy appended"},
    {.name = "proxy_add_x_forwarded_for",
     .get = of_exchange<proxy_add_x_forwarded_for>,
     .documentation =
         "the client's address, behind the X-Forwarded-For of a peer in trusted_proxies"},
    {.name = "proxy_host",
     .get = of_exchange<proxy_host>,
     .documentation = "the host of proxy_pass, with its port unless that is the scheme's own"},
    {.name = "proxy_port",
     .get = of_exchange<proxy_port>,
     .documentation = "the port of proxy_pass"},
    {.name = "upstream_addr",
     .get = of_exchange<upstream_addr>,
     .documentation = "the addresses of the backends that were tried"},
    {.name = "upstream_cache_status",
     .get = of_exchange<upstream_cache_status>,
     .documentation = "what the cache had: nothing, while there is none"},
    {.name = "upstream_bytes_received",
     .get = of_exchange<list_sizes<&Attempt::bytes_received>>,
     .documentation = "bytes received from each backend"},
    {.name = "upstream_bytes_sent",
     .get = of_exchange<list_sizes<&Attempt::bytes_sent>>,
     .documentation = "bytes sent to each backend"},
    {.name = "upstream_connect_time",
     .get = of_exchange<list_times<&Attempt::connect_time>>,
     .documentation = "seconds until each connection stood, handshake included"},
    {.name = "upstream_cookie_",
     .kind = VariableSpec::Kind::family,
     .get = of_exchange<upstream_cookie>,
     .documentation = "a cookie that the last backend set",
     .is_secret = always_secret},
    {.name = "upstream_header_time",
     .get = of_exchange<list_times<&Attempt::header_time>>,
     .documentation = "seconds until each response's header was there"},
    {.name = "upstream_http_",
     .kind = VariableSpec::Kind::family,
     .get = of_exchange<upstream_header>,
     .documentation = "a header of the last backend's response",
     .prepare = prepare_field,
     .is_secret = is_secret_header},
    {.name = "upstream_response_length",
     .get = of_exchange<list_sizes<&Attempt::response_length>>,
     .documentation = "body bytes of each response"},
    {.name = "upstream_response_time",
     .get = of_exchange<list_times<&Attempt::response_time>>,
     .documentation = "seconds until each response was received entirely"},
    {.name = "upstream_status",
     .get = of_exchange<upstream_status>,
     .documentation = "the status of each response"},
    {.name = "upstream_trailer_",
     .kind = VariableSpec::Kind::family,
     .get = of_exchange<upstream_trailer>,
     .documentation = "a trailer of the last backend's response",
     .prepare = prepare_field,
     .is_secret = is_secret_header},
};

}  // namespace

constinit const VariableTable kUpstreamVariables = kTable;

}  // namespace script
