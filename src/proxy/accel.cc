#include "proxy/accel.h"

#include "base/text.h"
#include "config/values.h"

namespace proxy {

using http::Field;
using http::FieldName;

void take_instructions(Context& context, const ForwardPlan& plan) {
  exchange::Exchange& exchange = context.exchange;
  const http::Fields& fields = exchange.upstream_response.fields;
  const ForwardOptions& options = *plan.options;
  const Field* rate = fields.find(FieldName::x_accel_limit_rate);
  if (rate != nullptr && !options.ignores(FieldName::x_accel_limit_rate)) {
    // As nginx reads it: a number of bytes, without a unit.
    if (const auto value = base::parse_number<std::uint32_t>(rate->value)) {
      exchange.limit_rate = *value;
    }
  }
  exchange.override_charset = {};
  if (!options.ignores(FieldName::x_accel_charset)) {
    // Also of a file that the backend sends the request to: then its head is gone.
    exchange.override_charset = exchange.arena.copy(fields.value(FieldName::x_accel_charset));
  }
  const Field* buffering = fields.find(FieldName::x_accel_buffering);
  if (buffering != nullptr && !plan.is_grpc() && !options.ignores(FieldName::x_accel_buffering)) {
    if (base::equal_ignoring_case(buffering->value, "no")) context.buffering = false;
    if (base::equal_ignoring_case(buffering->value, "yes")) context.buffering = true;
  }
}

}  // namespace proxy
