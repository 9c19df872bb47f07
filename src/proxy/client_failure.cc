#include "proxy/client_failure.h"

#include "proxy/request_body.h"

namespace proxy {

using base::Error;
using base::ErrorCode;
using observe::Counter;

Answer answer_client_failure(Context& context, const Error& error) {
  if (error.is(ErrorCode::too_large)) context.count(Counter::limit_body_size);
  if (error.is(ErrorCode::timed_out)) {
    context.count(context.body.too_slow() ? Counter::limit_body_rate : Counter::limit_body_time);
  }
  switch (error.code) {
    case ErrorCode::too_large: return {.status = 413};
    case ErrorCode::timed_out:
      context.timed_out = true;
      // An answer would be lost in the reset.
      return {.status = 408, .close_silently = *context.client_options().reset_timed_out};
    case ErrorCode::protocol: return {.status = context.body.refusal_status()};
    case ErrorCode::not_permitted:
    case ErrorCode::exhausted:
    case ErrorCode::not_found: return {.status = 500};
    default: return {.status = 499, .close_silently = true};
  }
}

std::string client_sentence(const Context& context, const Error& error) {
  if (!error.is(ErrorCode::timed_out)) return describe(error);
  return context.body.too_slow()
             ? "client sent its body more slowly than client_body_min_rate allows"
             : "client timed out (110: Connection timed out) while reading client request body";
}

}  // namespace proxy
