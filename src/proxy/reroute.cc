#include "proxy/reroute.h"

#include <string>

#include "base/text.h"
#include "content/error_page_directive.h"
#include "http/path.h"

namespace proxy {
namespace {

using observe::Counter;
using observe::Level;
using Step = std::optional<Answer>;

Step go_to_named(Context& context, std::string_view name) {
  if (!count_change(context, "while redirect to named location", name))
    return Answer{.status = 500};
  const route::Location* location = context.server->routes.find_named(name);
  if (location == nullptr) {
    log(context, Level::error,
        context.exchange.arena.join("could not find named location \"", name, "\""));
    return Answer{.status = 500};
  }
  if (context.exchange.uri.empty()) {  // it was refused: no backend may see it
    log(context, Level::error,
        context.exchange.arena.join("empty URI in redirect to named location \"", name, "\""));
    return Answer{.status = 500};
  }
  context.exchange.internal = true;
  context.location = location;
  context.level = location->level;
  context.reroute = Reroute::named;
  context.tell(Recorder::Step::redirect, name);
  return std::nullopt;
}

// An error's page is fetched, whatever the request was to do.
void become_get(http::RequestHead& request) {
  if (request.method == http::Method::head) return;
  request.method = http::Method::get;
  request.method_text = "GET";
}

// After these nginx reads nothing more from the client: what it sent was not understood, or we are
// not well.
bool ends_connection(unsigned status) {
  switch (status) {
    case 400:
    case 413:
    case 414:
    case 495:
    case 496:
    case 497:
    case 500:
    case 501: return true;
    default: return false;
  }
}

}  // namespace

bool count_change(Context& context, std::string_view doing, std::string_view where) {
  if (context.changes_left > 0) {
    --context.changes_left;
    return true;
  }
  context.changes_left = -1;
  context.count(Counter::limit_uri_changes);
  log(context, Level::error,
      context.exchange.arena.join("rewrite or internal redirection cycle ", doing, " \"", where,
                                  "\""));
  return false;
}

Step redirect_internally(Context& context, std::string_view path, std::string_view args) {
  if (!count_change(context, "while internally redirecting to", path)) {
    return Answer{.status = 500};
  }
  exchange::Exchange& exchange = context.exchange;
  exchange.uri = path;
  exchange.args = args;
  exchange.uri_changed = true;
  exchange.path_is_routed = true;
  exchange.internal = true;
  context.reroute = Reroute::redirect;
  context.tell(Recorder::Step::redirect, path);
  return std::nullopt;
}

Step go_to(Context& context, std::string_view target) {
  if (target.starts_with('@')) return go_to_named(context, target);
  const std::string_view path = base::split_first(target, '?');
  if (!path.starts_with('/')) {
    log(context, Level::error,
        context.exchange.arena.join("an internal redirect leads to \"", path,
                                    "\", which is no path: it must begin with \"/\" or \"@\""));
    return Answer{.status = 500};
  }
  return redirect_internally(context, path, target);
}

Step go_to_uri(Context& context, std::string_view target) {
  exchange::Exchange& exchange = context.exchange;
  if (target.starts_with('@')) return go_to_named(context, exchange.arena.copy(target));
  std::string_view rest = exchange.arena.copy(target);
  const std::string_view raw = base::split_first(rest, '?');
  const auto path =
      http::canonical_path(raw, exchange.encoded_slash, http::MergeSlashes::yes, exchange.arena);
  if (!path) {
    log(context, Level::error,
        exchange.arena.join("the backend sent an unsafe URI \"", target,
                            "\" in X-Accel-Redirect: ", http::explain(path.error())));
    return Answer{.status = 404};
  }
  return redirect_internally(context, *path, rest);
}

bool has_error_page(const Context& context, unsigned status) noexcept {
  const auto* plan = context.level->find<content::ErrorPagePlan>();
  if (plan == nullptr || context.changes_left < 0) return false;
  if (context.in_error_page && !plan->recursive) return false;
  return plan->find(status) != nullptr;
}

Step apply_error_page(Context& context, Answer answer) {
  const bool is_error = answer.status >= 300 && !answer.has_text && !answer.close_silently;
  if (!is_error || context.responder().head_sent() || context.closed_silently) return answer;
  if (ends_connection(answer.status)) context.close_after = true;
  context.forced_status.reset();  // this error is what the client is told
  context.kept_type = {};
  if (!has_error_page(context, answer.status)) return answer;
  const auto& plan = *context.level->find<content::ErrorPagePlan>();
  const content::ErrorPagePlan::Page& page = *plan.find(answer.status);
  context.in_error_page = true;
  context.take_time();
  const std::string_view target = page.target.evaluate(context.exchange);
  context.forced_status = page.shown.value_or(answer.status);
  // A page for CONNECT must not look like its tunnel (RFC 9110 §9.3.6).
  if (context.exchange.request.form == http::TargetForm::authority) {
    context.forced_status = answer.status;
  }
  if (context.recorder != nullptr) {
    context.tell(Recorder::Step::error_page,
                 context.exchange.arena.join(std::to_string(answer.status), ": ", target));
  }
  if (target.starts_with('/') || target.starts_with('@')) {
    if (target.starts_with('/')) become_get(context.exchange.request);
    return go_to(context, target);
  }
  const unsigned shown = *context.forced_status;
  context.forced_status.reset();
  const bool redirects =
      shown == 301 || shown == 302 || shown == 303 || shown == 307 || shown == 308;
  return Answer{.status = redirects ? shown : 302, .location = target};
}

}  // namespace proxy
