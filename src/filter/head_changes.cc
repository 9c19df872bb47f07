#include "filter/head_changes.h"

#include <charconv>

#include "http/status.h"

namespace filter {

using http::BodyFraming;
using http::FieldName;

bool has_body(const exchange::Exchange& exchange) noexcept {
  return exchange.request.method != http::Method::head && exchange.response.status >= 200 &&
         !http::status_has_no_body(exchange.response.status);
}

void forget_length(exchange::Exchange& exchange) noexcept {
  http::ResponseHead& response = exchange.response;
  response.fields.remove(FieldName::content_length);
  response.fields.remove(FieldName::accept_ranges);
  if (has_body(exchange)) response.body = {.kind = BodyFraming::Kind::chunked};
}

void weaken_etag(exchange::Exchange& exchange) {
  http::Fields& fields = exchange.response.fields;
  const http::Field* etag = fields.find(FieldName::etag);
  if (etag == nullptr || etag->value.starts_with("W/")) return;
  if (!etag->value.starts_with('"')) {
    fields.remove(FieldName::etag);
    return;
  }
  // There is one already, so the limit can't be reached.
  static_cast<void>(fields.set(FieldName::etag, exchange.arena.join("W/", etag->value)));
}

void forget_validators(exchange::Exchange& exchange) noexcept {
  exchange.response.fields.remove(FieldName::last_modified);
  exchange.response.fields.remove(FieldName::etag);
}

std::optional<std::uint64_t> known_length(const exchange::Exchange& exchange) noexcept {
  const http::ResponseHead& response = exchange.response;
  if (response.body.kind == BodyFraming::Kind::length) return response.body.length;
  if (has_body(exchange)) {
    if (response.body.kind == BodyFraming::Kind::none) return 0;
    return std::nullopt;
  }
  const std::string_view text = response.fields.value(FieldName::content_length);
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), length);
  if (text.empty() || error != std::errc{} || end != text.end()) return std::nullopt;
  return length;
}

}  // namespace filter
