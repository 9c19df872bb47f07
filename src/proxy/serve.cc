#include "proxy/serve.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "admission/real_ip.h"
#include "content/file_path.h"
#include "content/try_files.h"
#include "http/path.h"
#include "proxy/authorise.h"
#include "proxy/field_names.h"
#include "proxy/forward.h"
#include "proxy/mirror.h"
#include "proxy/part_queue.h"
#include "proxy/post_action.h"
#include "proxy/request_body.h"
#include "proxy/reroute.h"
#include "proxy/response.h"
#include "proxy/rewrite.h"
#include "proxy/static_file.h"
#include "proxy/status_page.h"
#include "proxy/try_files.h"
#include "proxy/tunnel_pass.h"
#include "tls/certificate_names.h"

namespace proxy {
namespace {

using observe::Counter;
using observe::Level;
using Step = std::optional<Answer>;

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

// Plain HTTP on a port that speaks TLS.
Step refuse_plain(Context& context) {
  if (!context.exchange.connection.plain_on_tls_port) return std::nullopt;
  log(context, Level::info, "client sent plain HTTP request to HTTPS port");
  context.close_after = true;
  return Answer{.status = 497};
}

// A client may share its connection between hosts, but only between those that the certificate
// names which it was shown (RFC 9110 §15.5.20, RFC 9113 §9.1.1).
Step refuse_misdirected(Context& context) {
  const VirtualServer* shown = context.shown;
  if (shown == nullptr || shown == context.server) return std::nullopt;
  if (context.exchange.request.method == http::Method::connect) return std::nullopt;  // a target
  const std::string_view host = context.exchange.request.host;
  const bool is_covered = std::ranges::any_of(shown->certificates, [&](const auto& certificate) {
    return tls::covers(certificate->facts(), host);
  });
  if (is_covered) return std::nullopt;
  context.count(Counter::requests_misdirected);
  log(context, Level::info,
      "client asks for a host that the certificate of its connection does not name");
  return Answer{.status = 421};
}

// TRACE would show a client what other proxies and we have added to its request. nginx has no use
// for it either. CONNECT is for servers that have a tunnel_pass; what follows it is the tunnel's,
// and no request.
Step refuse_method(Context& context) {
  const http::Method method = context.exchange.request.method;
  if (method == http::Method::trace) return Answer{.status = 405};
  if (method != http::Method::connect) return std::nullopt;
  context.close_after = true;
  if (context.server->takes_connect) return std::nullopt;
  log(context, Level::info, "client sent CONNECT, for which the server has no tunnel_pass");
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
  context.body_refused = true;
  return Answer{.status = 425};
}

// The one spelling of the path that everything below sees.
Step canonicalise(Context& context) {
  exchange::Exchange& exchange = context.exchange;
  const http::RequestHead& request = exchange.request;
  exchange.args = request.query;
  exchange.encoded_slash = context.encoded_slash();
  if (request.form == http::TargetForm::asterisk || request.form == http::TargetForm::authority) {
    exchange.uri = "/*";  // OPTIONS *, CONNECT: matches "location /", as no file could
    return std::nullopt;
  }
  const auto path = http::canonical_path(request.raw_path, context.encoded_slash(),
                                         context.merge_slashes(), exchange.arena);
  if (!path) {
    context.count(Counter::requests_refused);
    log(context, Level::info, http::explain(path.error()));
    return Answer{.status = 400};
  }
  exchange.uri = *path;
  context.tell(Recorder::Step::path);
  return std::nullopt;
}

// A body of known length is judged by the location that the path is found in, before its rewrite
// directives. A named location that the request is moved to does not judge it again, as in nginx.
Step refuse_large_body(Context& context) {
  if (context.body_refused) return std::nullopt;
  if (!context.body.is_too_large(*context.client_options().max_body_size)) return std::nullopt;
  context.body_refused = true;  // what is shown for the error does not get it, either
  context.count(Counter::limit_body_size);
  log(context, Level::error, "client intended to send too large body");
  return Answer{.status = 413};
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
  exchange.path_is_routed = true;
  context.tell(Recorder::Step::location);
  const auto* closed = context.level->find<content::InternalOptions>();
  if (closed != nullptr && closed->internal && !exchange.internal) {
    context.tell(Recorder::Step::answer, "404: the location is for internal redirects only");
    return Answer{.status = 404};
  }
  if (auto refused = refuse_large_body(context)) return refused;
  if (!match->redirect_to_slash) return std::nullopt;
  const auto path = http::escape_path(exchange.uri, context.encoded_slash(), exchange.arena);
  context.tell(Recorder::Step::answer, "301: the location's name is the path and a slash");
  const std::string_view question = exchange.args.empty() ? "" : "?";
  return Answer{.status = 301, .location = exchange.arena.join(path, "/", question, exchange.args)};
}

async::Task<Step> guard_request(Context& context) { return keep_limits(context); }
async::Task<Step> authorise(Context& context) { return check_access(context); }
// Steps of the order that have no directives yet; each keeps its place.
Step inspect(Context& /*context*/) { return std::nullopt; }  // waf

// A response may leave a body unread. What has arrived is dropped; if that is not all, the
// connection can't be used for another request.
void drop_body(Context& context);

void tell_file(Context& context, const content::StaticPlan& plan) {
  if (context.recorder == nullptr) return;
  const auto path = content::find_path(plan, context.exchange, context.exchange.encoded_slash);
  context.tell(Recorder::Step::file, path ? path->shown : "no file can have such a name");
}

// A file, where the location has a root. Not inlined, as reply(): its frame would be part of the
// frame of every request, for as long as that lasts.
[[gnu::noinline]] async::Task<Step> serve_file(Context& context) {
  const auto* plan = context.level->find<content::StaticPlan>();
  if (plan == nullptr) {
    context.tell(Recorder::Step::answer, "404: neither proxy_pass nor root holds here");
    co_return Answer{.status = 404};
  }
  tell_file(context, *plan);
  StaticContent found = co_await find_static(context, *plan);
  if (!found.file) co_return found.answer;
  drop_body(context);
  co_return co_await send_static(context, *plan, *found.file);
}

// A success would tell an HTTP/2 client that its tunnel is there (RFC 8441 §5), and what is sent
// would be the tunnel's bytes.
bool is_tunnel_without_backend(const Context& context) {
  return !context.exchange.request.protocol.empty() &&
         (context.location == nullptr || context.level->find<ForwardPlan>() == nullptr);
}

// A stream of gRPC's has messages when there is something to say.
Pace::Limits pace_of_body(const Context& context) {
  Pace::Limits pace = context.body_pace();
  const auto* plan = context.level->find<ForwardPlan>();
  if (plan != nullptr && plan->is_grpc()) pace.min_rate = 0;
  return pace;
}

// What can be said without content.
Step prepare_content(Context& context) {
  const ClientOptions& options = context.client_options();
  context.body.set_limits(*options.max_body_size, pace_of_body(context));
  if (is_tunnel_without_backend(context)) return Answer{.status = 501};
  // An error before a path was looked for may have led to a named location.
  if (!context.exchange.path_is_routed) {
    if (auto refused = refuse_large_body(context)) return refused;
  }
  return answer_status_page(context);
}

// CONNECT where there is no tunnel_pass, or another method where there is one.
async::Task<Step> refuse_content() { co_return Answer{.status = 405}; }

// No coroutine of its own: most requests come through here.
async::Task<Step> produce_content(Context& context) {
  const auto* tunnel = context.level->find<TunnelPlan>();
  const bool wants_tunnel = context.exchange.request.method == http::Method::connect;
  if (wants_tunnel != (tunnel != nullptr)) return refuse_content();
  if (tunnel != nullptr && context.parent != nullptr) return refuse_content();  // a mirror's copy
  if (tunnel != nullptr) return open_tunnel(context, *tunnel);
  const ForwardPlan* plan =
      context.location != nullptr ? context.level->find<ForwardPlan>() : nullptr;
  return plan != nullptr ? forward(context, *plan) : serve_file(context);
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

// What a client's request must pass before it is routed; a subrequest is none.
Step admit(Context& context) {
  select_server(context);
  identify_client(context);
  Step answer = canonicalise(context);
  if (!answer) answer = refuse_plain(context);
  if (!answer) answer = refuse_misdirected(context);
  if (!answer) answer = refuse_method(context);
  if (!answer) answer = refuse_early(context);
  return answer;
}

// The location and its rewrite directives, from where context.reroute says that the request goes
// on. No answer and a reroute: it was moved again.
Step route(Context& context) {
  const Reroute from = std::exchange(context.reroute, Reroute::none);
  Step answer;
  if (from == Reroute::redirect) {
    context.location = nullptr;
    context.level = context.server->level;
    answer = rewrite(context, *context.level);
  }
  if (!answer && from != Reroute::named) answer = find_location(context);
  context.reroute = Reroute::none;  // a location was looked for by the path as it is now
  if (!answer) apply_limit_except(context);
  if (!answer && context.location != nullptr) answer = rewrite(context, *context.level);
  if (answer) return answer;
  if (context.reroute != Reroute::none) {
    const bool may = count_change(context, "while processing", context.exchange.uri);
    return may ? Step() : Step(Answer{.status = 500});
  }
  if (context.location != nullptr && context.parent == nullptr) identify_client(context);
  context.tell(Recorder::Step::client);
  return answer;
}

// What is answered instead of content.
[[gnu::noinline]] async::Task<void> reply(Context& context, Answer answer) {
  if (const Step failed = failed_evaluation(context)) answer = *failed;
  const unsigned shown =
      answer.has_text ? context.forced_status.value_or(answer.status) : answer.status;
  const http::RequestHead& request = context.exchange.request;
  const bool wants_tunnel = request.method == http::Method::connect ||
                            request.form == http::TargetForm::authority;  // an error page is a GET
  if (wants_tunnel && shown < 300) {
    answer = Answer{.status = 405};  // a success would be the tunnel's (RFC 9110 §9.3.6)
    context.forced_status.reset();
  }
  if (!context.exchange.request.protocol.empty() && shown < 300) {
    answer = Answer{.status = 501};  // see is_tunnel_without_backend
    context.forced_status.reset();
  }
  drop_body(context);
  if (context.leaves_error_pages && answer.status >= 300 && !answer.has_text) {
    context.exchange.response.status = static_cast<std::uint16_t>(answer.status);
  } else if (!co_await respond(context, answer)) {
    context.close_after = true;
  }
}

}  // namespace

void select_server(Context& context) {
  exchange::Exchange& exchange = context.exchange;
  context.server =
      &context.listener.find(exchange.request.host, exchange.captures, exchange.named_captures);
  context.level = context.server->level;
  exchange.server_name = context.server->name;
  drop_invalid_fields(context);
  context.tell(Recorder::Step::server);
}

async::Task<void> serve(Context& context) {
  context.scope = co_await async::current_scope();
  Step answer;
  const auto goes_on = [&] { return !answer && context.reroute == Reroute::none; };
  if (context.parent == nullptr) answer = admit(context);
  if (context.reroute == Reroute::none) context.reroute = Reroute::redirect;
  while (true) {
    if (!answer) answer = route(context);
    if (goes_on() && has_limits(context)) answer = co_await guard_request(context);
    if (goes_on() && is_restricted(context)) answer = co_await authorise(context);
    if (goes_on()) answer = inspect(context);
    if (goes_on()) answer = try_files(context);
    if (goes_on() && has_mirrors(context)) answer = co_await start_mirrors(context);
    if (!answer) answer = failed_evaluation(context);
    if (goes_on()) answer = prepare_content(context);
    if (goes_on()) answer = co_await produce_content(context);
    if (!context.parts.empty()) co_await finish_parts(context);
    if (answer) answer = apply_error_page(context, *answer);
    if (answer || context.reroute == Reroute::none) break;
  }
  if (answer) co_await reply(context, *answer);
  if (!context.parts.empty()) co_await finish_parts(context);
  if (context.mirrors != nullptr) co_await finish_mirrors(context);
  if (has_post_action(context)) co_await run_post_action(context);
}

}  // namespace proxy
