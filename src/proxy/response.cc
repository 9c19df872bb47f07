#include "proxy/response.h"

#include <algorithm>
#include <charconv>

#include "base/decimal.h"
#include "base/text.h"
#include "content/error_page.h"
#include "content/redirect.h"
#include "content/static_directives.h"
#include "filter/add_header.h"
#include "filter/userid.h"
#include "http/date.h"
#include "http/status.h"
#include "proxy/accel.h"
#include "proxy/forced_range.h"
#include "proxy/grpc.h"
#include "proxy/http2_options.h"
#include "proxy/limit_rate.h"
#include "proxy/limited_responder.h"
#include "proxy/old_browser.h"
#include "proxy/outgoing.h"
#include "proxy/response_filters.h"

namespace proxy {
namespace {

using http::Field;
using http::FieldName;

// Server and Date stand first, as clients of nginx are used to. The date is made once a second.
bool add_own_fields(Context& context, const ForwardPlan* plan) {
  http::Fields& fields = context.exchange.response.fields;
  const bool own_server = plan == nullptr || plan->hidden.has(FieldName::server, "Server");
  const bool own_date = plan == nullptr || plan->hidden.has(FieldName::date, "Date") ||
                        !context.exchange.upstream_response.fields.has(FieldName::date);
  if (own_server && !fields.add(FieldName::server, content::server_text(context.shows_version()))) {
    return false;
  }
  if (!own_date) return true;
  thread_local std::chrono::sys_seconds shown{std::chrono::seconds(-1)};
  thread_local http::HttpDate date;
  const auto now = std::chrono::floor<std::chrono::seconds>(context.worker.loop.wall());
  if (now != shown) {
    shown = now;
    date = http::http_date(now);
  }
  return fields.add(FieldName::date, context.exchange.arena.copy(http::view(date)));
}

// nginx's proxy_redirect: the first rule that matches rewrites the URL.
std::string_view rewrite_url(Context& context, const ForwardPlan& plan, std::string_view url) {
  exchange::Exchange& exchange = context.exchange;
  for (const RedirectPlan& rule : plan.redirects) {
    if (rule.pattern) {
      const bool matched =
          rule.pattern->match(url, exchange.captures, exchange.named_captures).value_or(false);
      if (matched) return rule.to.evaluate(exchange);
      continue;
    }
    const std::string_view from = rule.from.evaluate(exchange);
    if (from.empty() || !base::starts_with_ignoring_case(url, from)) continue;
    return exchange.arena.join(rule.to.evaluate(exchange), url.substr(from.size()));
  }
  return url;
}

// "0; url=http://backend/x": the part behind url=.
std::string_view rewrite_refresh(Context& context, const ForwardPlan& plan,
                                 std::string_view value) {
  for (std::size_t at = 0; at + 4 <= value.size(); ++at) {
    if (!base::equal_ignoring_case(value.substr(at, 4), "url=")) continue;
    const std::string_view url = value.substr(at + 4);
    return context.exchange.arena.join(value.substr(0, at + 4), rewrite_url(context, plan, url));
  }
  return value;
}

std::string_view rewrite_location(Context& context, const ForwardPlan& plan,
                                  std::string_view value) {
  const std::string_view url = rewrite_url(context, plan, value);
  if (url.data() == value.data() && url.size() == value.size()) return value;
  return content::absolute_location(url, context.exchange,
                                    context.level->get<content::RedirectOptions>());
}

bool add_keep_alive_hint(Context& context) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(*context.client_options().keepalive_header);
  if (seconds.count() == 0 || context.close_after) return true;
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), seconds.count()).ptr;
  return context.exchange.response.fields.add(
      FieldName::keep_alive,
      context.exchange.arena.join("timeout=", std::string_view(digits.begin(), end)));
}

bool add_kept_fields(Context& context) {
  return std::ranges::all_of(context.kept_fields, [&](const Field& field) {
    return context.exchange.response.fields.add(field);
  });
}

bool add_user_id(Context& context) {
  if (context.parent != nullptr) return true;  // its head is nobody's
  filter::UserIdNote note;
  const bool fits = filter::apply_user_id(*context.level, context.exchange, note);
  if (!note.text.empty()) {
    log(context, note.reset ? observe::Level::notice : observe::Level::error, note.text);
  }
  return fits;
}

// What the head says of the body's end. Trailers of ours have room behind chunks alone; a client of
// HTTP/1.0 gets none.
void choose_framing(Context& context) {
  if (!*context.client_options().chunked) return context.direct.forbid_chunks();
  exchange::Exchange& exchange = context.exchange;
  http::ResponseHead& response = exchange.response;
  const bool may_have_body =
      exchange.request.method != http::Method::head && !http::status_has_no_body(response.status);
  if (may_have_body && exchange.request.version != http::Version::http_1_0 &&
      filter::expects_trailers(*context.level, response.status)) {
    response.body = {.kind = http::BodyFraming::Kind::chunked};
  }
}

// Of a response that was begun and not sent.
void forget_filters(Context& context) {
  context.filtered.reset();
  context.limited.reset();
}

void start_limit(Context& context) {
  const exchange::Exchange& exchange = context.exchange;
  if (exchange.request.method == http::Method::head ||
      http::status_has_no_body(exchange.response.status)) {
    return;  // texts that are given for these are not sent
  }
  const RateLimit limit = response_rate(context);
  if (!limit.limited()) return;
  context.limited = std::make_unique<LimitedResponder>(context.direct, context.worker.loop, limit,
                                                       context.send_pace());
}

// What every response has behind the fields that are its own. `between` is for body filters.
bool finish_head(Context& context, http::Then between) {
  forget_filters(context);
  choose_framing(context);
  start_limit(context);
  if (context.exchange.request.version == http::Version::http_2) {
    context.direct.limit_frames(*context.level->get<Http2Options>().chunk_size);
  }
  return add_keep_alive_hint(context) && add_kept_fields(context) &&
         filter::apply_add_header(*context.level, context.exchange) && add_user_id(context) &&
         start_filters(context, between);
}

}  // namespace

std::string_view content_type(const Context& context) {
  if (!context.kept_type.empty()) return context.kept_type;
  const auto by_ending = content::media_type(*context.level, context.exchange.uri);
  return by_ending.empty() ? std::string_view(*context.client_options().default_type) : by_ending;
}

void decide_keep_alive(Context& context) {
  const ClientOptions& options = context.client_options();
  const exchange::Exchange& exchange = context.exchange;
  const exchange::Connection& connection = exchange.connection;
  const bool last = connection.requests >= *options.keepalive_requests;
  const bool old = context.now() - connection.accepted_at > *options.keepalive_time;
  if (exchange.request.version != http::Version::http_2) {  // whose connection sees to it itself
    if (last) context.count(observe::Counter::limit_keepalive_requests);
    if (old) context.count(observe::Counter::limit_keepalive_age);
  }
  if (last || old || is_old_browser(exchange.request, *options.keepalive_disable) ||
      options.keepalive_timeout->count() == 0 || context.worker.connections.draining()) {
    context.close_after = true;
  }
  if (context.close_after) context.direct.close_after();
}

bool has_trailers(const Context& context) {
  return context.exchange.response.body.kind == http::BodyFraming::Kind::chunked &&
         filter::expects_trailers(*context.level, context.exchange.response.status);
}

async::Task<base::Result<void>> finish_body(Context& context, io::Patience patience) {
  exchange::Exchange& exchange = context.exchange;
  context.take_time();
  if (exchange.request.version == http::Version::http_1_0) {
    exchange.response_trailers.clear();
  } else if (has_trailers(context)) {
    filter::add_trailers(*context.level, exchange, exchange.response_trailers);
  }
  co_return co_await context.responder().finish(exchange.response_trailers, patience);
}

bool begin_own_fields(Context& context) { return add_own_fields(context, nullptr); }

bool finish_own_fields(Context& context) {
  decide_keep_alive(context);
  return finish_head(context, http::Then::more);
}

bool make_response(Context& context, const ForwardPlan& plan) {
  exchange::Exchange& exchange = context.exchange;
  const http::ResponseHead& from = exchange.upstream_response;
  http::ResponseHead& response = exchange.response;
  take_instructions(context, plan);
  decide_keep_alive(context);
  const unsigned forced = context.forced_status.value_or(0);
  response.status = forced != 0 ? static_cast<std::uint16_t>(forced) : from.status;
  response.reason = forced != 0 ? std::string_view{} : from.reason;
  response.body = from.body;
  bool fits = add_own_fields(context, &plan);
  const bool check_connection = from.fields.has(FieldName::connection);
  const bool forces_ranges = *plan.options->force_ranges;
  // RFC 9110 §8.6: a 204 never does.
  const bool tells_length =
      (exchange.request.method == http::Method::head && from.status != 204) || from.status == 304;
  for (const Field& field : from.fields) {
    switch (field.id) {
      case FieldName::content_length:
        if (tells_length) fits = fits && response.fields.add(field);
        continue;
      case FieldName::location:
        if (!plan.redirects.empty()) {
          fits = fits && response.fields.add(FieldName::location,
                                             rewrite_location(context, plan, field.value));
          continue;
        }
        break;
      case FieldName::refresh:
        if (!plan.redirects.empty()) {
          fits = fits && response.fields.add(FieldName::refresh,
                                             rewrite_refresh(context, plan, field.value));
          continue;
        }
        break;
      case FieldName::set_cookie:
        if (!plan.cookies.empty() && !plan.hidden.has(field.id, field.name)) {
          fits = fits &&
                 response.fields.add(Field{field.id, field.name,
                                           rewrite_cookie(plan.cookies, exchange, field.value)});
          continue;
        }
        break;
      default: break;
    }
    if (forces_ranges && field.id == FieldName::accept_ranges) continue;
    if (http::is_hop_by_hop(field.id) || plan.hidden.has(field.id, field.name)) continue;
    if (check_connection && named_by_connection(from.fields, field)) continue;
    fits = fits && response.fields.add(field);
  }
  if (forces_ranges && !filters_apply(context)) fits = fits && offer_ranges(context);
  const bool buffering = context.buffering.value_or(*plan.options->buffering);
  fits = fits && finish_head(context, buffering ? http::Then::more : http::Then::flush);
  return fits && exchange.failure.kind <= exchange::EvaluationFailure::Kind::cycle;
}

async::Task<base::Result<void>> respond(Context& context, Answer answer) {
  exchange::Exchange& exchange = context.exchange;
  http::ResponseHead& response = exchange.response;
  const unsigned forced = answer.has_text ? context.forced_status.value_or(0) : 0;
  response.status = static_cast<std::uint16_t>(forced != 0 ? forced : answer.status);
  if (answer.close_silently || context.responder().head_sent()) {
    context.close_after = true;
    context.closed_silently = true;
    co_return base::Result<void>{};
  }
  context.take_time();
  if (ends_grpc_call(context, answer)) co_return co_await respond_grpc(context, answer);
  decide_keep_alive(context);
  response.fields.clear();
  response.reason = {};
  const bool tokens = context.shows_version();
  std::string_view body =
      answer.has_text ? answer.text : content::error_page(answer.status, tokens);
  const bool is_page = !answer.has_text && !body.empty();
  std::string_view type = is_page ? std::string_view("text/html") : answer.type;
  if (type.empty()) type = content_type(context);
  bool fits = add_own_fields(context, nullptr);
  const bool says_nothing = !answer.has_text && body.empty() && answer.status >= 400;
  if (!http::status_has_no_body(answer.status) && !says_nothing) {
    fits = fits && response.fields.add(FieldName::content_type, type);
  }
  if (!answer.last_modified.empty() && (response.status == 200 || response.status == 304)) {
    fits = fits && response.fields.add(FieldName::last_modified, answer.last_modified);
  }
  const bool tells_length =
      exchange.request.method == http::Method::head && !http::status_has_no_body(response.status);
  if (tells_length) {
    fits = fits && response.fields.add(FieldName::content_length,
                                       base::decimal(body.size(), exchange.arena));
  }
  if (answer.has_location || !answer.location.empty()) {
    fits = fits && response.fields.add(
                       FieldName::location,
                       content::absolute_location(answer.location, exchange,
                                                  context.level->get<content::RedirectOptions>()));
  }
  if (!answer.authenticate.empty()) {
    const auto name =
        answer.status == 407 ? FieldName::proxy_authenticate : FieldName::www_authenticate;
    fits = fits && response.fields.add(name, answer.authenticate);
  }
  if (!answer.content_range.empty()) {
    fits = fits && response.fields.add(FieldName::content_range, answer.content_range);
  }
  const auto framing_of = [](std::string_view text) {
    return text.empty() ? http::BodyFraming{}
                        : http::BodyFraming{http::BodyFraming::Kind::length, text.size()};
  };
  response.body = framing_of(body);
  fits = fits && finish_head(context, http::Then::more);
  if (!fits) {
    // Without all of its fields it would not mean what the configuration says.
    log(context, observe::Level::error, "a response of our own has too many header fields");
    response.fields.clear();
    response.status = 500;
    body = content::error_page(500, tokens);
    static_cast<void>(response.fields.add(FieldName::content_type, "text/html"));
    response.body = framing_of(body);
    forget_filters(context);
    choose_framing(context);
  }
  // nginx's own codes (494 to 497) are 400s, in the log, too, unless the configuration has written
  // a text for that very code.
  const bool as_written = answer.has_text && forced == 0;
  if (!as_written) {
    response.status = static_cast<std::uint16_t>(http::wire_status(response.status));
  }
  const bool has_more = has_trailers(context);
  const io::Patience patience = Pace(context.send_pace()).patience(context.now(), body.size());
  auto sent = co_await context.responder().send_head(
      response, body, has_more ? http::End::no : http::End::yes, patience);
  if (sent && has_more) sent = co_await finish_body(context, patience);
  if (!sent && sent.error().is(base::ErrorCode::timed_out)) {
    context.timed_out = true;
    context.count(observe::Counter::limit_send_time);
  }
  co_return sent;
}

}  // namespace proxy
