#include "proxy/serve.h"

#include <algorithm>
#include <optional>

#include "admission/real_ip.h"
#include "content/return_directive.h"
#include "http/path.h"
#include "proxy/forward.h"
#include "proxy/request_body.h"
#include "proxy/response.h"
#include "proxy/static_file.h"
#include "proxy/status_page.h"

namespace proxy {
namespace {

using observe::Counter;
using observe::Level;
using Step = std::optional<Answer>;

// nginx's limit on how often a URI may change, which ends rewrite cycles.
constexpr int kMaxUriChanges = 10;

// The client's address and whether its forwarding headers are believed: by the server's settings,
// and once more by the location's (nginx's post-read and preaccess phases).
void identify_client(Context& context) {
  exchange::Exchange& exchange = context.exchange;
  const auto& trusted = *context.client_options().trusted_proxies;
  exchange.trusted_peer = context.site.listing().compat_nginx ||
                          std::ranges::any_of(trusted, [&](const base::Network& network) {
                            return network.contains(exchange.connection.peer);
                          });
  admission::apply_real_ip(*context.level, exchange);
}

// TRACE would show a client what other proxies and we have added to its request. nginx has no use
// for it either.
Step refuse_trace(Context& context) {
  if (context.exchange.request.method != http::Method::trace) return std::nullopt;
  return Answer{.status = 405};
}

// What came in early data may be somebody's replay, so only requests that change nothing are taken
// (RFC 8470 §3, RFC 9110 §9.2.1). A client repeats the others after its handshake.
Step refuse_early(Context& context) {
  const exchange::Exchange& exchange = context.exchange;
  if (!exchange.early) return std::nullopt;
  const http::RequestHead& request = exchange.request;
  const bool safe = request.method == http::Method::get || request.method == http::Method::head ||
                    request.method == http::Method::options;
  if (safe && !request.upgrade && !request.body.has_body()) return std::nullopt;
  context.count(Counter::early_data_refused);
  return Answer{.status = 425};
}

// The one spelling of the path that everything below sees.
Step canonicalise(Context& context) {
  exchange::Exchange& exchange = context.exchange;
  const http::RequestHead& request = exchange.request;
  exchange.args = request.query;
  if (request.form == http::TargetForm::asterisk) {
    exchange.uri = "/*";  // OPTIONS *: matches "location /", as no file could
    return std::nullopt;
  }
  const auto path = http::canonical_path(request.raw_path, context.encoded_slash(),
                                         http::MergeSlashes::yes, exchange.arena);
  if (!path) {
    context.count(Counter::requests_refused);
    log(context, Level::info, http::explain(path.error()));
    return Answer{.status = 400};
  }
  exchange.uri = *path;
  return std::nullopt;
}

Step answer_of(Context& context, const content::ReturnPlan* plan) {
  if (plan == nullptr) return std::nullopt;
  context.take_time();
  exchange::Exchange& exchange = context.exchange;
  Answer answer{.status = plan->status};
  answer.close_silently = plan->status == 444;
  const std::string_view text = plan->text.evaluate(exchange);
  if (plan->is_redirect) {
    answer.location = content::absolute_location(text, exchange);
  } else if (plan->has_text) {
    answer.text = text;
    answer.has_text = true;
  }
  return answer;
}

// rewrite directives of the server, then of the location (`return` so far).
Step rewrite_in_server(Context& context) {
  return answer_of(context, content::find_return(*context.server->level));
}
Step rewrite_in_location(Context& context) {
  if (context.location == nullptr) return std::nullopt;
  return answer_of(context, content::find_return(*context.location->level));
}

Step find_location(Context& context) {
  exchange::Exchange& exchange = context.exchange;
  const auto match =
      context.server->routes.match(exchange.uri, exchange.captures, exchange.named_captures);
  if (!match) {
    context.count(Counter::limit_regex_steps);
    log(context, Level::error, match.error().context);
    return Answer{.status = 500};
  }
  context.location = match->location;
  context.level = context.location != nullptr ? context.location->level : context.server->level;
  if (!match->redirect_to_slash) return std::nullopt;
  const auto path = http::escape_path(exchange.uri, context.encoded_slash(), exchange.arena);
  const std::string_view question = exchange.args.empty() ? "" : "?";
  return Answer{.status = 301,
                .location = content::absolute_location(
                    exchange.arena.join(path, "/", question, exchange.args), exchange)};
}

// Steps of the order that have no directives yet; each keeps its place.
Step guard_request(Context& /*context*/) { return std::nullopt; }  // limit_req, limit_conn, rates
Step authorise(Context& /*context*/) { return std::nullopt; }  // allow/deny, auth_*, satisfy
Step inspect(Context& /*context*/) { return std::nullopt; }  // waf
Step try_files(Context& /*context*/) { return std::nullopt; }  // try_files, mirror

// A response may leave a body unread. What has arrived is dropped; if that is not all, the
// connection can't be used for another request.
void drop_body(Context& context);

// A file, where the location has a root.
async::Task<Step> serve_file(Context& context) {
  const auto* plan = context.level->find<content::StaticPlan>();
  if (plan == nullptr) co_return Answer{.status = 404};
  StaticContent found = co_await find_static(context, *plan);
  if (!found.file) co_return found.answer;
  drop_body(context);
  co_return co_await send_static(context, *plan, *found.file);
}

async::Task<Step> produce_content(Context& context) {
  const ClientOptions& options = context.client_options();
  context.body.set_limits(*options.max_body_size, context.body_pace());
  if (context.body.is_too_large()) {
    context.count(Counter::limit_body_size);
    log(context, Level::error, "client intended to send too large body");
    co_return Answer{.status = 413};
  }
  if (auto page = answer_status_page(context)) co_return page;
  const ForwardPlan* plan =
      context.location != nullptr ? context.level->find<ForwardPlan>() : nullptr;
  if (plan != nullptr) co_return co_await forward(context, *plan);
  co_return co_await serve_file(context);
}

void drop_body(Context& context) {
  const std::uint64_t most = *context.client_options().max_discard_size;
  for (std::uint64_t dropped = 0; !context.body.ended() && !context.body.failed();) {
    if (dropped >= most) {
      context.count(Counter::limit_discard_size);
      break;
    }
    const auto piece = context.body.try_read();
    if (!piece) break;
    if (*piece) dropped += (*piece)->size();
  }
  if (!context.body.ended()) context.close_after = true;
}

}  // namespace

void select_server(Context& context) {
  exchange::Exchange& exchange = context.exchange;
  context.server =
      &context.listener.find(exchange.request.host, exchange.captures, exchange.named_captures);
  context.level = context.server->level;
  exchange.server_name = context.server->name;
}

async::Task<void> serve(Context& context) {
  select_server(context);
  identify_client(context);
  Step answer = refuse_trace(context);
  if (!answer) answer = refuse_early(context);
  if (!answer) answer = canonicalise(context);
  if (!answer) answer = rewrite_in_server(context);
  // An internal redirect begins anew: the location of the new path decides, whatever it says.
  for (int changes = 0; !answer; ++changes) {
    context.redirected = false;
    answer = find_location(context);
    if (!answer) answer = rewrite_in_location(context);
    if (!answer && context.location != nullptr) identify_client(context);
    if (!answer) answer = guard_request(context);
    if (!answer) answer = authorise(context);
    if (!answer) answer = inspect(context);
    if (!answer) answer = try_files(context);
    if (!answer) answer = co_await produce_content(context);
    if (answer || !context.redirected) break;
    if (changes == kMaxUriChanges) {
      context.count(Counter::limit_uri_changes);
      log(context, Level::error,
          context.exchange.arena.join("rewrite or internal redirection cycle while internally "
                                      "redirecting to \"",
                                      context.exchange.uri, "\""));
      answer = Answer{.status = 500};
    }
  }
  if (!answer) co_return;
  drop_body(context);
  if (!co_await respond(context, *answer)) context.close_after = true;
}

}  // namespace proxy
