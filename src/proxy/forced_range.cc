#include "proxy/forced_range.h"

#include "base/decimal.h"
#include "content/preconditions.h"
#include "http/date.h"

namespace proxy {
namespace {

using base::decimal;
using content::ByteRanges;
using http::FieldName;

// What the backend says of the version that it has sent.
content::Validators validators_of(const http::Fields& fields) {
  const auto modified = http::parse_http_date(fields.value(FieldName::last_modified));
  return {.modified = modified ? modified->time_since_epoch().count() : -1,
          .etag = fields.value(FieldName::etag)};
}

}  // namespace

bool offer_ranges(Context& context) {
  exchange::Exchange& exchange = context.exchange;
  http::ResponseHead& response = exchange.response;
  const bool known = response.body.kind == http::BodyFraming::Kind::length;
  if (response.status != 200 || !known) return true;
  const http::Field* range = exchange.request.fields.find(FieldName::range);
  if (range == nullptr ||
      !content::allows_range(exchange.request.fields, validators_of(response.fields))) {
    return response.fields.set(FieldName::accept_ranges, "bytes");
  }
  base::Arena& arena = exchange.arena;
  const std::uint64_t size = response.body.length;
  const ByteRanges ranges = content::parse_byte_ranges(range->value, size, 1, arena);
  switch (ranges.kind) {
    case ByteRanges::Kind::whole: return response.fields.set(FieldName::accept_ranges, "bytes");
    case ByteRanges::Kind::unsatisfiable:
      response.status = 416;
      return response.fields.set(FieldName::content_range,
                                 arena.join("bytes */", decimal(size, arena)));
    case ByteRanges::Kind::parts: break;
  }
  const content::ByteRange only = ranges.parts.front();
  context.only = only;
  response.status = 206;
  response.reason = {};
  response.body.length = only.end - only.first;
  return response.fields.set(FieldName::content_range,
                             arena.join("bytes ", decimal(only.first, arena), "-",
                                        decimal(only.end - 1, arena), "/", decimal(size, arena)));
}

}  // namespace proxy
