#include "proxy/authorise.h"

#include <fmt/format.h>

#include <optional>

#include "admission/access.h"
#include "admission/auth_basic.h"
#include "admission/auth_request.h"
#include "admission/limit_except.h"
#include "guard/limit_conn.h"
#include "guard/limit_directives.h"
#include "guard/limit_req.h"
#include "io/socket.h"
#include "proxy/client_watch.h"
#include "proxy/subrequest.h"

namespace proxy {
namespace {

using admission::Access;
using admission::AuthVerdict;
using guard::LimitVerdict;
using observe::Counter;
using observe::Level;
using Step = std::optional<Answer>;

async::Task<base::Result<void>> sleep(io::EventLoop& loop, base::TimePoint due) {
  co_return co_await io::sleep_until(loop, due);
}

// nginx's status for a client that has left. Nobody is there to be answered.
Answer client_left(Context& context) {
  log(context, Level::info, "client prematurely closed connection");
  context.count(Counter::requests_aborted);
  return {.status = 499, .close_silently = true};
}

// False: the client has left, or the worker ends.
async::Task<bool> wait(Context& context, base::Duration time) {
  async::Scope scope(co_await async::current_scope());
  std::optional<ClientWatch> watch;
  if (context.parent == nullptr) watch.emplace(context.watches(), scope);
  const auto waited =
      co_await async::within(scope, sleep(context.worker.loop, context.now() + time));
  co_return waited.has_value();
}

void tell(Context& context, const LimitVerdict& verdict) {
  if (!verdict.line.text.empty()) log(context, verdict.line.level, verdict.line.text);
  if (verdict.evicted > 0) context.count(Counter::limit_zone_states, verdict.evicted);
}

// A refusal of one of the access phase's checks.
struct Refusal {
  unsigned status = 0;  // 0: none
  std::string_view challenge{};  // of a password
};

async::Task<Answer> answer_refusal(Context& context, Refusal refusal) {
  if (refusal.status != 401) co_return Answer{.status = refusal.status};
  const auto& options = context.level->get<admission::SatisfyOptions>();
  if (options.auth_delay->count() > 0 && context.recorder == nullptr) {
    log(context, Level::info, "delaying unauthorized request");
    if (!co_await wait(context, *options.auth_delay)) co_return client_left(context);
  }
  const bool is_proxy = context.exchange.request.method == http::Method::connect;
  co_return Answer{.status = is_proxy ? 407U : 401U, .authenticate = refusal.challenge};
}

unsigned status_of(AuthVerdict::Kind kind) {
  switch (kind) {
    case AuthVerdict::Kind::not_asked:
    case AuthVerdict::Kind::passed: return 0;
    case AuthVerdict::Kind::unauthorised: return 401;
    case AuthVerdict::Kind::forbidden: return 403;
    case AuthVerdict::Kind::busy: return 503;
    case AuthVerdict::Kind::failed:
    case AuthVerdict::Kind::cancelled: break;
  }
  return 500;
}

// What is assumed instead of a check, for the recorder.
std::optional<AuthVerdict> assumed_verdict(const Context& context) {
  if (context.recorder == nullptr) return std::nullopt;
  const auto status = context.recorder->assumed_password();
  if (!status) return std::nullopt;
  switch (*status) {
    case 401: return AuthVerdict{.kind = AuthVerdict::Kind::unauthorised};
    case 403: return AuthVerdict{.kind = AuthVerdict::Kind::forbidden};
    default: return AuthVerdict{.kind = AuthVerdict::Kind::passed};
  }
}

// With the client watched: a slow password may wait its turn.
async::Task<AuthVerdict> ask_password(Context& context) {
  if (const auto assumed = assumed_verdict(context)) co_return *assumed;
  auto& desk = context.worker.passwords;
  if (desk == nullptr) {
    desk = std::make_shared<admission::PasswordDesk>(context.worker.loop, context.worker.counters);
  }
  async::Scope scope(co_await async::current_scope());
  const ClientWatch watch(context.watches(), scope);
  const AuthVerdict verdict = co_await async::within(
      scope, admission::authenticate(*context.level, context.exchange, *desk));
  if (!verdict.line.empty()) log(context, verdict.level, verdict.line);
  if (verdict.wrong) context.count(Counter::passwords_refused);
  co_return verdict;
}

// What a subrequest's answer says of how to come in, for a client that it refuses.
void keep_challenges(Context& context, const exchange::Exchange& answered) {
  constexpr auto kName = http::FieldName::www_authenticate;
  const http::Fields& own = answered.response.fields;
  const http::Fields& fields = own.has(kName) ? own : answered.upstream_response.fields;
  const auto kept = context.exchange.arena.make_array<http::Field>(fields.count(kName));
  auto into = kept.begin();
  for (const http::Field& field : fields) {
    if (field.id != kName) continue;
    *into++ = {field.id, context.exchange.arena.copy(field.name),
               context.exchange.arena.copy(field.value)};
  }
  context.kept_fields = kept;
}

// What is assumed of a subrequest's answer, for the recorder: that it lets the request pass, unless
// it is told otherwise.
Refusal assumed_refusal(Context& context) {
  const unsigned status = context.recorder->assumed_password().value_or(200);
  context.tell(Recorder::Step::subrequest, status == 200   ? "the request passes"
                                           : status == 401 ? "refused with 401"
                                                           : "refused with 403");
  return {.status = status == 200 ? 0 : status};
}

// nginx's auth_request. 499: the client has left meanwhile.
async::Task<Refusal> ask_by_subrequest(Context& context, const admission::AuthRequestPlan& plan) {
  if (context.recorder != nullptr) co_return assumed_refusal(context);
  if (!take_subrequest(context, plan.path)) co_return Refusal{.status = 500};
  async::Scope scope(co_await async::current_scope());
  const ClientWatch watch(context.watches(), scope);
  Subrequest asked(context, {.path = plan.path, .head_only = true});
  co_await async::within(scope, asked.run());
  if (scope.stop_requested()) co_return Refusal{.status = 499};
  exchange::Exchange& answered = asked.exchange();
  admission::set_from_answer(plan, answered, context.exchange);
  if (answered.failure.kind > context.exchange.failure.kind) {
    context.exchange.failure = answered.failure;  // the request ends with it
  }
  const unsigned status = answered.response.status;
  if (status >= 200 && status < 300) co_return Refusal{};
  if (status == 401) keep_challenges(context, answered);
  if (status == 401 || status == 403) co_return Refusal{.status = status};
  log(context, Level::error, fmt::format("auth request unexpected status: {}", status));
  co_return Refusal{.status = 500};
}

void tell_denied(Context& context) {
  log(context, Level::error, "access forbidden by rule");
  context.count(Counter::access_denied);
}

Answer refused_by_limit(const LimitVerdict& verdict) {
  return {.status = verdict.status, .close_silently = closes_silently(verdict.status)};
}

// What was counted is not counted again for the page or its other parts, also those that run now.
void tell_parents(const Context& context) {
  using exchange::LimitStatus;
  const exchange::Exchange& own = context.exchange;
  for (Context* parent = context.parent; parent != nullptr; parent = parent->parent) {
    exchange::Exchange& of = parent->exchange;
    if (of.limit_req_status == LimitStatus::none) of.limit_req_status = own.limit_req_status;
    if (of.limit_conn_status == LimitStatus::none) of.limit_conn_status = own.limit_conn_status;
  }
}

}  // namespace

void apply_limit_except(Context& context) noexcept {
  if (context.location == nullptr) return;
  const config::Level& own = *context.location->level;
  const config::Level& level = admission::level_for(own, context.exchange.request.method);
  if (&level == &own) return;
  context.level = &level;
  context.tell(Recorder::Step::method);
}

bool has_limits(const Context& context) noexcept { return guard::has_limits(*context.level); }

async::Task<Step> keep_limits(Context& context) {
  context.take_time();
  const auto zones = context.site.zones();
  exchange::Exchange& exchange = context.exchange;
  LimitVerdict verdict = guard::limit_requests(*context.level, exchange, zones, context.now());
  tell(context, verdict);
  tell_parents(context);
  if (verdict.kind == LimitVerdict::Kind::refuse) {
    context.tell(Recorder::Step::limits, "refused by limit_req");
    context.count(Counter::limit_req);
    co_return refused_by_limit(verdict);
  }
  if (verdict.kind == LimitVerdict::Kind::delay) {
    context.count(Counter::requests_delayed);
    if (!co_await wait(context, verdict.delay)) co_return client_left(context);
  }
  verdict = guard::limit_connections(*context.level, exchange, zones, context.slots);
  tell(context, verdict);
  tell_parents(context);
  const bool refused = verdict.kind == LimitVerdict::Kind::refuse;
  context.tell(Recorder::Step::limits, refused ? "refused by limit_conn" : "passed");
  if (!refused) co_return std::nullopt;
  context.count(Counter::limit_conn);
  co_return refused_by_limit(verdict);
}

bool is_restricted(const Context& context) noexcept {
  if (context.parent != nullptr) return false;  // who asks was looked at already
  return admission::auth_request_of(*context.level) != nullptr ||
         !context.level->get<admission::AccessOptions>().rules->empty() ||
         admission::asks_password(*context.level);
}

// With "satisfy any" the first check that lets the request pass ends the phase, and a refusal
// stands only if none did; a 401 goes before a 403, since its client may try again.
async::Task<Step> check_access(Context& context) {
  context.take_time();
  const config::Level& level = *context.level;
  const bool any = *level.get<admission::SatisfyOptions>().satisfy == admission::Satisfy::any;
  Refusal refused;
  switch (admission::check_access(level, context.exchange.remote)) {
    case Access::allowed:
      context.tell(Recorder::Step::access, "allowed");
      if (any) co_return std::nullopt;
      break;
    case Access::denied:
      context.tell(Recorder::Step::access, "denied");
      if (!any) {
        tell_denied(context);
        co_return Answer{.status = 403};
      }
      refused.status = 403;
      break;
    case Access::none: context.tell(Recorder::Step::access, "no rule fits"); break;
  }
  AuthVerdict verdict;
  if (admission::asks_password(level)) verdict = co_await ask_password(context);
  if (verdict.kind != AuthVerdict::Kind::not_asked) {
    context.tell(Recorder::Step::password,
                 status_of(verdict.kind) == 0 ? "the password is right" : "refused");
  }
  if (verdict.kind == AuthVerdict::Kind::cancelled) co_return client_left(context);
  if (verdict.kind == AuthVerdict::Kind::passed && any) co_return std::nullopt;
  if (const unsigned status = status_of(verdict.kind); status != 0) {
    refused = {.status = status, .challenge = verdict.challenge};
    if (!any || (status != 401 && status != 403)) {
      co_return co_await answer_refusal(context, refused);
    }
  }
  if (const auto* plan = admission::auth_request_of(level)) {
    const Refusal answer = co_await ask_by_subrequest(context, *plan);
    if (answer.status == 499) co_return client_left(context);
    if (answer.status == 0 && any) co_return std::nullopt;
    if (answer.status != 0) {
      if (!any || answer.status == 500) co_return co_await answer_refusal(context, answer);
      if (refused.status != 401) refused = answer;
    }
  }
  if (refused.status == 0) co_return std::nullopt;
  if (refused.status == 403) tell_denied(context);
  co_return co_await answer_refusal(context, refused);
}

}  // namespace proxy
