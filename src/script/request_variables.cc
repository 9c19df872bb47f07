// Variables of the request.
#include <algorithm>
#include <array>

#include "base/random.h"
#include "base/text.h"
#include "http/basic_credentials.h"
#include "http/method.h"
#include "script/getters.h"
#include "script/request_id.h"
#include "script/request_lookups.h"

namespace script {
namespace {

using exchange::Exchange;
using http::FieldName;

/// A request that was refused before its line was read has no parts to show.
bool has_line(const Exchange& ex) noexcept { return !ex.request.method_text.empty(); }

Text arg(Exchange& ex, const Suffix& name) { return find_argument(ex.args, name.text); }

Text args(Exchange& ex) {
  if (ex.args.empty()) return std::nullopt;  // nginx: nothing behind the '?' is no query
  return ex.args;
}
Text is_args(Exchange& ex) { return ex.args.empty() ? "" : "?"; }

Text cookie(Exchange& ex, const Suffix& name) { return find_cookie(ex.request.fields, name.text); }

Text http_header(Exchange& ex, const Suffix& name) {
  const bool cookies = name.tag == static_cast<std::uint32_t>(FieldName::cookie);
  return joined_fields(ex.arena, ex.request.fields, name, cookies ? "; " : ", ");
}

Text content_length(Exchange& ex) {
  if (const http::Field* field = ex.request.fields.find(FieldName::content_length)) {
    return field->value;
  }
  if (ex.request.body.kind != http::BodyFraming::Kind::length) return std::nullopt;
  return number_text(ex.arena, ex.request.body.length);
}
Text content_type(Exchange& ex) {
  const http::Field* field = ex.request.fields.find(FieldName::content_type);
  return field != nullptr ? Text(field->value) : std::nullopt;
}

Text uri(Exchange& ex) { return ex.uri; }
Text host(Exchange& ex) { return ex.host(); }
Text server_name(Exchange& ex) { return ex.server_name; }

// As nginx: what the client claims, whether or not anyone has checked the password.
Text remote_user(Exchange& ex) {
  const bool is_connect = ex.request.form == http::TargetForm::authority;  // a proxy's client
  const auto credentials = http::parse_basic_credentials(
      ex.request.fields.value(is_connect ? FieldName::proxy_authorization
                                         : FieldName::authorization),
      ex.arena);
  return credentials ? Text(credentials->user) : std::nullopt;
}

// The client's: a subrequest's own is not shown.
std::string_view method_text(const Exchange& ex) {
  return ex.main != nullptr ? ex.main->request.method_text : ex.request.method_text;
}

Text request(Exchange& ex) {
  if (!has_line(ex)) return std::nullopt;
  return ex.arena.join(method_text(ex), " ", ex.request.target, " ",
                       http::text_of(ex.request.version));
}
Text request_method(Exchange& ex) { return has_line(ex) ? Text(method_text(ex)) : std::nullopt; }
Text request_uri(Exchange& ex) {
  if (!has_line(ex)) return std::nullopt;
  // nginx leaves the scheme and the host of an absolute form out.
  if (ex.request.form != http::TargetForm::absolute) return ex.request.target;
  if (!ex.request.has_query) return ex.request.raw_path;
  return ex.arena.join(ex.request.raw_path, "?", ex.request.query);
}
// Of Host or the absolute form, where it was given.
Text request_port(Exchange& ex) {
  return ex.request.port != 0 ? number_text(ex.arena, ex.request.port) : "";
}
Text is_request_port(Exchange& ex) { return ex.request.port != 0 ? ":" : ""; }
Text server_protocol(Exchange& ex) {
  return has_line(ex) ? Text(http::text_of(ex.request.version)) : std::nullopt;
}
Text http2(Exchange& ex) {
  if (!ex.connection.http2) return "";
  return ex.connection.tls ? "h2" : "h2c";
}
Text request_length(Exchange& ex) { return number_text(ex.arena, ex.request_length); }
Text request_time(Exchange& ex) { return seconds_text(ex.arena, ex.now - ex.started); }

Text request_id(Exchange& ex) {
  make_request_id(ex);
  return std::string_view(ex.request_id.data(), ex.request_id.size());
}

Text request_body(Exchange& ex) { return ex.request_body; }
Text request_body_file(Exchange& ex) {
  if (ex.request_body_file.empty()) return std::nullopt;
  return ex.request_body_file;
}

constexpr VariableSpec kTable[] = {
    {.name = "arg_",
     .kind = VariableSpec::Kind::family,
     .get = of_exchange<arg>,
     .documentation = "an argument of the query, not decoded"},
    {.name = "args", .get = of_exchange<args>, .documentation = "the query"},
    {.name = "content_length",
     .get = of_exchange<content_length>,
     .documentation = "the request's Content-Length"},
    {.name = "content_type",
     .get = of_exchange<content_type>,
     .documentation = "the request's Content-Type"},
    {.name = "cookie_",
     .kind = VariableSpec::Kind::family,
     .get = of_exchange<cookie>,
     .documentation = "a cookie of the request",
     .is_secret = always_secret},
    {.name = "document_uri", .get = of_exchange<uri>, .documentation = "the same as $uri"},
    {.name = "host",
     .get = of_exchange<host>,
     .documentation = "the request's host in lower case, else the server's name"},
    {.name = "http_",
     .kind = VariableSpec::Kind::family,
     .get = of_exchange<http_header>,
     .documentation = "a header of the request as it arrived; repeated ones joined by \", \"",
     .prepare = prepare_field,
     .is_secret = is_secret_header},
    {.name = "is_args",
     .get = of_exchange<is_args>,
     .documentation = "\"?\" if there is a query, else empty"},
    {.name = "is_request_port",
     .get = of_exchange<is_request_port>,
     .documentation = "\":\" if the request's host has a port, else empty"},
    {.name = "query_string", .get = of_exchange<args>, .documentation = "the same as $args"},
    {.name = "remote_user",
     .get = of_exchange<remote_user>,
     .documentation = "the user name of Basic authentication; not in logs, where it may be a token",
     .is_secret = always_secret},
    {.name = "request",
     .get = of_exchange<request>,
     .documentation = "the request line as received"},
    {.name = "request_body",
     .get = of_exchange<request_body>,
     .documentation = "the request's body, once it was received for a backend and is in memory"},
    {.name = "request_body_file",
     .get = of_exchange<request_body_file>,
     .documentation = "the file that has the request's body"},
    {.name = "request_id",
     .get = of_exchange<request_id>,
     .documentation = "32 random hexadecimal digits, the same for the whole request"},
    {.name = "http2",
     .get = of_exchange<http2>,
     .documentation = "\"h2\" over TLS, \"h2c\" in the clear, empty for other protocols"},
    {.name = "request_length",
     .get = of_exchange<request_length>,
     .documentation = "bytes of request line, header and body"},
    {.name = "request_method",
     .get = of_exchange<request_method>,
     .documentation = "the request's method"},
    {.name = "request_port",
     .get = of_exchange<request_port>,
     .documentation = "the port behind the request's host, if it was given"},
    {.name = "request_time",
     .get = of_exchange<request_time>,
     .documentation = "seconds with milliseconds since the request's first byte"},
    {.name = "request_uri",
     .get = of_exchange<request_uri>,
     .documentation = "the request's path and query as received"},
    {.name = "server_name",
     .get = of_exchange<server_name>,
     .documentation = "the first name of the virtual server"},
    {.name = "server_protocol",
     .get = of_exchange<server_protocol>,
     .documentation = "the request's protocol, \"HTTP/1.1\""},
    {.name = "uri",
     .get = of_exchange<uri>,
     .documentation = "the current path, decoded and normalised"},
};

}  // namespace

void make_request_id(exchange::Exchange& exchange) {
  if (exchange.has_request_id) return;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::uint8_t, 16> bytes{};
  base::fill_random(bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    exchange.request_id[2 * i] = kDigits[bytes[i] >> 4U];
    exchange.request_id[2 * i + 1] = kDigits[bytes[i] & 15U];
  }
  exchange.has_request_id = true;
}

constinit const VariableTable kRequestVariables = kTable;

}  // namespace script
