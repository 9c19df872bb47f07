// Variables of the response to the client.
#include <array>

#include "script/getters.h"

namespace script {
namespace {

using exchange::Exchange;
using http::BodyFraming;
using http::FieldName;

Text body_bytes_sent(Exchange& ex) { return number_text(ex.arena, ex.body_bytes_sent); }
Text bytes_sent(Exchange& ex) { return number_text(ex.arena, ex.bytes_sent); }
Text request_completion(Exchange& ex) { return ex.completed ? "OK" : ""; }

Text limit_rate(Exchange& ex) { return number_text(ex.arena, ex.limit_rate.value_or(0)); }

Text status(Exchange& ex) {
  const unsigned code = ex.response.status;
  const std::array<char, 3> digits = {static_cast<char>('0' + code / 100 % 10),
                                      static_cast<char>('0' + code / 10 % 10),
                                      static_cast<char>('0' + code % 10)};
  return ex.arena.copy({digits.data(), digits.size()});
}

// The codec writes these itself, so they are no fields.
Text framing_header(Exchange& ex, FieldName name) {
  const http::ResponseHead& response = ex.response;
  if (response.status == 0) return std::nullopt;
  switch (name) {
    case FieldName::content_length:
      if (response.body.kind != BodyFraming::Kind::length) return std::nullopt;
      return number_text(ex.arena, response.body.length);
    case FieldName::transfer_encoding:
      if (response.body.kind != BodyFraming::Kind::chunked) return std::nullopt;
      return "chunked";
    case FieldName::connection:
      if (response.status == 101) return "upgrade";
      return response.keep_alive ? "keep-alive" : "close";
    default: return std::nullopt;
  }
}

Text sent_header(Exchange& ex, const Suffix& name) {
  if (const Text value = joined_fields(ex.arena, ex.response.fields, name)) return value;
  return framing_header(ex, static_cast<FieldName>(name.tag));
}
Text sent_trailer(Exchange& ex, const Suffix& name) {
  return joined_fields(ex.arena, ex.response_trailers, name);
}

constexpr VariableSpec kTable[] = {
    {.name = "body_bytes_sent",
     .get = of_exchange<body_bytes_sent>,
     .documentation = "bytes sent to the client without the header"},
    {.name = "bytes_sent",
     .get = of_exchange<bytes_sent>,
     .documentation = "bytes sent to the client"},
    {.name = "limit_rate",
     .get = of_exchange<limit_rate>,
     .documentation = "bytes per second that the response is sent at, at most; 0: no limit"},
    {.name = "request_completion",
     .get = of_exchange<request_completion>,
     .documentation = "\"OK\" once the response was sent entirely, else empty"},
    {.name = "sent_http_",
     .kind = VariableSpec::Kind::family,
     .get = of_exchange<sent_header>,
     .documentation = "a header of the response; repeated ones joined by \", \"",
     .prepare = prepare_field,
     .is_secret = is_secret_header},
    {.name = "sent_trailer_",
     .kind = VariableSpec::Kind::family,
     .get = of_exchange<sent_trailer>,
     .documentation = "a trailer of the response",
     .prepare = prepare_field,
     .is_secret = is_secret_header},
    {.name = "status", .get = of_exchange<status>, .documentation = "the response's status"},
};

}  // namespace

constinit const VariableTable kResponseVariables = kTable;

}  // namespace script
