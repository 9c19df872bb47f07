#include "proxy/grpc.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/decimal.h"
#include "base/text.h"
#include "http/field_name.h"
#include "http/status.h"
#include "proxy/plan.h"
#include "proxy/response.h"

namespace proxy {

using http::FieldName;

namespace {

constexpr std::string_view kContentType = "application/grpc";

// How long the end of a response may wait for the client's window.
constexpr base::Duration kFarewell = std::chrono::seconds(5);

// "application/grpc", "application/grpc+proto", but not "application/grpc-web".
bool is_grpc_type(std::string_view type) {
  if (!base::starts_with_ignoring_case(type, kContentType)) return false;
  const std::string_view rest = type.substr(kContentType.size());
  return rest.empty() || rest.starts_with('+') || rest.starts_with(';') || rest.starts_with(' ');
}

struct Unit {
  char letter;
  base::Duration length;
};
constexpr std::array<Unit, 6> kUnits{{{'n', std::chrono::nanoseconds(1)},
                                      {'u', std::chrono::microseconds(1)},
                                      {'m', std::chrono::milliseconds(1)},
                                      {'S', std::chrono::seconds(1)},
                                      {'M', std::chrono::minutes(1)},
                                      {'H', std::chrono::hours(1)}}};
constexpr std::uint32_t kMostUnits = 99'999'999;  // eight digits

}  // namespace

GrpcStatus grpc_status_of(unsigned http_status) noexcept {
  switch (http_status) {
    case 400: return GrpcStatus::internal;
    case 401: return GrpcStatus::unauthenticated;
    case 403: return GrpcStatus::permission_denied;
    case 404: return GrpcStatus::unimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return GrpcStatus::unavailable;
    default: return GrpcStatus::unknown;
  }
}

bool is_grpc_call(const Context& context) {
  if (context.parent != nullptr) return false;  // who makes a subrequest judges its status
  const auto* plan = context.level->find<ForwardPlan>();
  return plan != nullptr && plan->speaks_grpc &&
         is_grpc_type(context.exchange.request.fields.value(FieldName::content_type));
}

bool ends_grpc_call(const Context& context, const Answer& answer) {
  return answer.status >= 400 && !answer.has_text && is_grpc_call(context);
}

GrpcEnd grpc_end_of(const Answer& answer) {
  if (answer.deadline_passed) {
    return {GrpcStatus::deadline_exceeded, "the deadline of the call has passed"};
  }
  const unsigned status = http::wire_status(answer.status);
  return {grpc_status_of(status), http::reason_phrase(status)};
}

async::Task<base::Result<void>> respond_grpc(Context& context, Answer answer) {
  http::ResponseHead& response = context.exchange.response;
  const GrpcEnd end = grpc_end_of(answer);
  context.forced_status.reset();
  response.status = 200;
  response.reason = {};
  response.fields.clear();
  bool fits = begin_own_fields(context) &&
              response.fields.add(FieldName::content_type, kContentType) &&
              response.fields.add("grpc-status", base::decimal(static_cast<unsigned>(end.status),
                                                               context.exchange.arena)) &&
              (end.message.empty() || response.fields.add("grpc-message", end.message));
  if (!answer.authenticate.empty()) {
    fits = fits && response.fields.add(FieldName::www_authenticate, answer.authenticate);
  }
  response.body = {};
  fits = fits && finish_own_fields(context);
  if (!fits) co_return base::fail(base::ErrorCode::too_large, "too many header fields");
  response.body = {};  // trailers of the configuration's have no place behind these
  auto sent = co_await context.responder().send_head(
      response, {}, http::End::yes, Pace(context.send_pace()).patience(context.now()));
  if (!sent && sent.error().is(base::ErrorCode::timed_out)) {
    context.timed_out = true;
    context.count(observe::Counter::limit_send_time);
  }
  co_return sent;
}

async::Task<base::Result<void>> end_grpc_response(Context& context, GrpcEnd end) {
  exchange::Exchange& exchange = context.exchange;
  if (exchange.request.version != http::Version::http_2) {
    // Whether a client of HTTP/1 takes trailers is not certain, and an end without them looks
    // whole.
    co_return base::fail(base::ErrorCode::reset);
  }
  exchange.response_trailers.clear();
  const bool fits =
      exchange.response_trailers.add(
          "grpc-status", base::decimal(static_cast<unsigned>(end.status), exchange.arena)) &&
      (end.message.empty() || exchange.response_trailers.add("grpc-message", end.message));
  if (!fits) co_return base::fail(base::ErrorCode::too_large);
  co_return co_await context.responder().finish(exchange.response_trailers,
                                                context.now() + kFarewell);
}

// --- deadlines ---

std::optional<base::Duration> parse_grpc_timeout(std::string_view text) noexcept {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  const auto unit = std::ranges::find(kUnits, text.back(), &Unit::letter);
  text.remove_suffix(1);
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  const auto count = base::parse_number<std::uint32_t>(text);
  if (unit == kUnits.end() || !digits || !count) return std::nullopt;
  if (*count > kLongestGrpcTimeout / unit->length) return kLongestGrpcTimeout;
  return *count * unit->length;
}

// The finest unit that has room for it; rounded up, as gRPC's libraries do.
std::string_view format_grpc_timeout(base::Duration left, base::Arena& arena) {
  left = std::clamp(left, base::Duration(1), kLongestGrpcTimeout);
  const auto* unit = std::ranges::find_if(
      kUnits, [&](const Unit& each) { return left <= each.length * kMostUnits; });
  if (unit == kUnits.end()) unit = &kUnits.back();
  const auto count = (left + unit->length - base::Duration(1)) / unit->length;
  return arena.join(base::decimal(static_cast<std::uint64_t>(count), arena),
                    std::string_view(&unit->letter, 1));
}

std::expected<std::optional<base::Duration>, std::string_view> find_grpc_timeout(
    const http::Fields& fields) noexcept {
  std::optional<base::Duration> found;
  for (const http::Field& field : fields) {
    if (field.id != FieldName::other || !http::equal_folded(field.name, kGrpcTimeout)) continue;
    const auto timeout = parse_grpc_timeout(field.value);
    if (!timeout) return std::unexpected("client sent a malformed grpc-timeout");
    if (found) return std::unexpected("client sent more than one grpc-timeout");
    found = timeout;
  }
  return found;
}

}  // namespace proxy
