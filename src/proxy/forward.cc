#include "proxy/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "io/proxy_protocol.h"
#include "proxy/extended_connect.h"
#include "proxy/forwarder.h"
#include "proxy/grpc.h"
#include "proxy/request_body.h"

namespace proxy {

using observe::Counter;
using observe::Level;

async::Task<std::optional<Answer>> Forwarder::run() {
  if (exchange_.attempt_count > 0 && !begin_anew()) co_return Answer{.status = 500};
  auto destination = choose_destination(context_, plan_);
  if (!destination) {
    log(context_, Level::error, destination.error());
    co_return Answer{.status = 500};
  }
  destination_ = *destination;
  if (auto answer = co_await take_body()) co_return answer;
  context_.take_time();
  if (!replace_body()) co_return Answer{.status = 500};
  if (const auto made = make_request(context_, plan_, destination_, request_, upgrade_); !made) {
    log(context_, Level::error, made.error().context);
    co_return Answer{.status = 500};
  }
  if (auto answer = failed_evaluation(context_)) co_return answer;
  if (!request_.protocol.empty() && !has_usable_key(exchange_.request)) {
    log(context_, Level::info,
        "client sent a WebSocket handshake without a valid Sec-WebSocket-Key");
    co_return Answer{.status = 400};
  }
  method_ = http::parse_method(request_.method);
  choose_socket();
  if (destination_.https && plan_.tls_policy == nullptr) {
    tell(Level::error,
         "no authorities are known to verify an https backend by: set "
         "proxy_ssl_trusted_certificate");
    co_return Answer{.status = 502};
  }
  if (context_.recorder != nullptr) co_return tell_recorder();
  cluster_ = find_cluster();
  if (cluster_ == nullptr) co_return Answer{.status = 500};
  co_return co_await attempts();
}

// Null: it can't be made, as the log says.
upstream::Cluster* Forwarder::find_cluster() {
  if (!plan_.dynamic) return &context_.site.cluster(*plan_.cluster);
  if (destination_.group != nullptr) return destination_.group;
  auto cluster = context_.site.dynamic_clusters().find_or_make(
      destination_.authority, destination_.https ? 443 : 80, plan_.keep_alive, plan_.lookup);
  if (cluster) return (own_cluster_ = *std::move(cluster)).get();
  log(context_, Level::error,
      fmt::format("{} in upstream \"{}\"", cluster.error(), destination_.authority));
  return nullptr;
}

// Instead of a backend.
std::optional<Answer> Forwarder::tell_recorder() {
  const std::string_view name =
      destination_.https ? plan_.tls_name.evaluate(exchange_) : std::string_view();
  if (auto answer = failed_evaluation(context_)) return answer;
  context_.recorder->forwarded(context_, plan_, destination_, request_, name);
  return Answer{.status = 200, .close_silently = true};
}

// Another backend was asked before an internal redirect. False: there have been too many.
bool Forwarder::begin_anew() {
  if (exchange_.attempt_count + 2 > exchange::Exchange::kMaxAttempts) {
    log(context_, Level::error, "too many attempts at backends for one request");
    return false;
  }
  exchange_.add_attempt();
  exchange_.upstream_response = http::ResponseHead(exchange_.arena);
  exchange_.upstream_trailers.clear();
  context_.only.reset();
  context_.buffering.reset();
  return true;
}

async::Task<std::optional<Answer>> Forwarder::attempts() {
  upstream::TlsTarget tls;
  std::string preface;
  if (const auto version = *plan_.options->proxy_protocol) {
    preface = io::make_proxy_header(*version, exchange_.remote, exchange_.connection.local);
  }
  const bool plain_socket = !socket_.from && !socket_.keepalive && socket_.receive_buffer == 0 &&
                            socket_.send_buffer == 0;
  upstream::Target target{.connect_timeout = *plan_.options->connect_timeout,
                          .socket = plain_socket ? nullptr : &socket_,
                          .http2 = *plan_.options->http_version == http::Version::http_2,
                          .http2_terms = &plan_.http2_terms,
                          .preface = preface};
  if (destination_.https) {
    if (auto answer = choose_tls(tls)) co_return answer;
    target.tls = &tls;
    target.single_use = has_own_context();
  }
  began_ = context_.now();
  while (true) {
    attempt_began_ = context_.now();
    auto acquired = co_await cluster_->acquire(&attempts_, target);
    const Verdict verdict =
        acquired ? co_await attempt(*std::move(acquired)) : connect_failed(acquired.error());
    if (verdict == Verdict::done) co_return std::nullopt;
    if (verdict == Verdict::repeat) {
      // Not an attempt in its own right: nobody has seen the request.
      attempts_.repeat_fresh();
      exchange_.attempts[--exchange_.attempt_count] = {};
      answer_.status = 0;
    }
    const bool more = answer_.status == 0
                          ? exchange_.attempt_count < exchange::Exchange::kMaxAttempts
                          : has_more();
    if (verdict == Verdict::failed || !more) break;
    context_.count(Counter::upstream_retries);
  }
  if (answer_.status == 0) answer_.status = 502;
  co_return answer_;
}

// A streamed body is gone, but for what is kept of it.
bool Forwarder::has_whole_request() const noexcept {
  if (!streams_body_ || !context_.body.touched()) return true;
  return replay_ && replay_->is_whole();
}

bool Forwarder::may_repeat() const noexcept {
  // nginx's rule: not after a request that may have had effects was sent.
  // An extended CONNECT is the GET of an upgrade.
  return http::is_idempotent(exchange_.request.method) &&
         (http::is_idempotent(method_) || !request_.protocol.empty()) && has_whole_request();
}

// proxy_next_upstream non_idempotent has effects happen twice, but no body comes twice.
bool Forwarder::may_ask_another() const noexcept {
  return may_repeat() || (plan_.options->next_upstream->non_idempotent && has_whole_request());
}

bool Forwarder::has_more() const noexcept {
  const std::uint64_t tries = *plan_.options->next_tries;
  const auto timeout = *plan_.options->next_timeout;
  return exchange_.attempt_count < exchange::Exchange::kMaxAttempts &&
         attempts_.count() < cluster_->max_attempts() &&
         (tries == 0 || attempts_.count() < tries) &&
         (timeout.count() == 0 || context_.now() - began_ < timeout);
}

// An answer that proxy_next_upstream names is the client's only when there is nobody else to ask.
bool Forwarder::is_passed_over(unsigned status) const {
  const auto& statuses = plan_.options->next_upstream->statuses;
  return std::ranges::find(statuses, status) != statuses.end() && may_ask_another() && has_more();
}

async::Task<std::optional<Answer>> forward(Context& context, const ForwardPlan& plan) {
  Forwarder forwarder(context, plan);
  if (is_grpc_call(context)) co_return co_await forwarder.run_call();
  co_return co_await forwarder.run();
}

}  // namespace proxy
