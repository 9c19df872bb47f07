#include "proxy/forwarder.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "http/h1/client_exchange.h"
#include "http/list.h"
#include "proxy/relay.h"
#include "proxy/request_body.h"

namespace proxy {

using base::ErrorCode;
using http::End;
using observe::Counter;

namespace {

// What a backend may send as its head.
http::h1::HeadLimits head_limits(const ForwardOptions& options) {
  return {.max_line = *options.head_size,
          .max_total = *options.head_size,
          .max_fields = *options.max_headers};
}

http::h2::ResponseLimits response_limits(const ForwardOptions& options,
                                         const http::h1::ChunkedLimits& trailers) {
  return {.max_line = *options.head_size,
          .max_total = *options.head_size,
          .max_fields = *options.max_headers,
          .max_trailer_bytes = trailers.max_trailer_bytes,
          .max_trailer_fields = trailers.max_trailer_fields};
}

}  // namespace

exchange::Attempt& Forwarder::begin_attempt(std::string_view endpoint) {
  exchange::Attempt& record = exchange_.add_attempt();
  record.endpoint = exchange_.arena.copy(endpoint);
  return record;
}

// Its exchange, in the protocol of its connection: in `alone`, where that has no other.
http::ClientExchange& Forwarder::begin_exchange(upstream::Lease& lease,
                                                std::optional<http::h1::ClientExchange>& alone,
                                                std::unique_ptr<http::ClientExchange>& shared) {
  const http::h1::ChunkedLimits body_limits = chunked_limits(context_.client_options());
  if (!lease.is_shared()) {
    return alone.emplace(lease.stream(), method_, exchange_.arena, head_limits(*plan_.options),
                         body_limits);
  }
  shared = lease.open(method_, exchange_.arena, response_limits(*plan_.options, body_limits));
  return *shared;
}

async::Task<Forwarder::Verdict> Forwarder::attempt(upstream::Lease lease) {
  exchange::Attempt& record = begin_attempt(lease.peer_name());
  const auto number = exchange_.attempt_count;
  record.connect_time = context_.now() - attempt_began_;
  async::Scope scope(co_await async::current_scope());
  pumping_ = false;
  pumped_at_ = {};
  std::optional<http::h1::ClientExchange> alone;
  std::unique_ptr<http::ClientExchange> shared;
  http::ClientExchange& backend = begin_exchange(lease, alone, shared);
  if (!streams_body_ && watches_client()) {
    watch_.emplace(context_.watches(), scope);
  }
  const Verdict verdict = co_await async::within(scope, converse(lease, backend, scope));
  scope.request_stop();
  co_await scope.join();
  watch_.reset();
  if (exchange_.attempt_count == number) {  // else it was taken back: it died before any answer
    record.bytes_received += backend.bytes_received();
    record.bytes_sent += backend.bytes_sent();
  }
  context_.count(Counter::upstream_bytes_in, backend.bytes_received());
  context_.count(Counter::upstream_bytes_out, backend.bytes_sent());
  // A pump that was stopped leaves its message unfinished: such a connection is not clean.
  const bool reusable =
      verdict == Verdict::done && !has_own_context() && backend.clean() &&
      exchange_.upstream_response.keep_alive &&
      !http::list_has(request_.fields.value(http::FieldName::connection), "close");
  // The logs show the head when this attempt is long over.
  context_.leave_upstream_head();
  context_.upstream_head = backend.take_head_buffer();
  // Not before the join: until then the pump may wait on the stream.
  shared.reset();
  if (reusable) {
    lease.release_for_reuse();
  } else {
    lease.close();
  }
  co_return verdict;
}

async::Task<Forwarder::Verdict> Forwarder::converse(upstream::Lease& lease,
                                                    http::ClientExchange& backend,
                                                    async::Scope& scope) {
  say_time_left();
  const bool in_one_write = has_whole_body();
  const std::string_view whole = replaces_body_  ? own_body_
                                 : context_.held ? context_.held->text()
                                                 : std::string_view{};
  const auto sent = co_await backend.send_head(request_, in_one_write ? whole : std::string_view{},
                                               in_one_write ? End::yes : End::no,
                                               context_.now() + *plan_.options->send_timeout);
  if (!sent && (sent.error().is(ErrorCode::invalid) || sent.error().is(ErrorCode::too_large))) {
    co_return refuse_request(sent.error());
  }
  if (!sent && sent.error().is(ErrorCode::unavailable))
    co_return refuse_response(sent.error().context);
  if (!sent && !sent.error().is(ErrorCode::reset)) {
    co_return request_failed(lease, backend, sent.error(), "while sending request to upstream");
  }
  if (sent && !in_one_write) {
    pumping_ = true;
    scope.spawn(pump(backend, scope));
  }
  if (const auto head = co_await read_head(backend); !head) {
    // Half a head is none; its views would not outlive the attempt.
    exchange_.upstream_response = http::ResponseHead(exchange_.arena);
    if (pump_error_) co_return client_failed(*pump_error_);
    co_return request_failed(lease, backend, head.error(),
                             "while reading response header from upstream");
  }
  current().status = exchange_.upstream_response.status;
  if (replay_ && !is_passed_over(current().status)) replay_->close();
  current().header_time = context_.now() - attempt_began_;
  if (is_passed_over(current().status)) {
    // nginx's: these two are answers all the same, and no fault of the server.
    const bool is_fault = current().status != 403 && current().status != 404;
    lease.report(is_fault ? upstream::Outcome::failure : upstream::Outcome::success);
    current().response_time = *current().header_time;
    answer_ = {.status = current().status};
    exchange_.upstream_response = http::ResponseHead(exchange_.arena);
    co_return Verdict::retry;
  }
  if (const auto verdict = take_over()) {
    lease.report(upstream::Outcome::success);
    co_return *verdict;
  }
  if (is_tunnel_answer()) {
    co_return co_await switch_protocols(lease, backend);
  }
  co_return co_await pass_response(lease, backend);
}

async::Task<void> Forwarder::pump(http::ClientExchange& backend, async::Scope& scope) {
  BodySource source;
  if (streams_body_) {
    source.streaming = &context_.body;
    if (replay_) source.replay = &*replay_;
  } else {
    source.held = context_.held.get();
  }
  const auto pumped = co_await pump_request(context_, plan_, source, 0, backend);
  pumping_ = false;
  pumped_at_ = context_.now();
  // The body was what read from the client, and so noticed when it left.
  if (pumped && streams_body_ && context_.body.ended() && watches_client()) {
    watch_.emplace(context_.watches(), scope);
  }
  if (pumped || pumped.error().is(ErrorCode::cancelled)) co_return;
  pump_error_ = pumped.error();
  scope.request_stop();
}

// The final response's head; interim ones go to the client, except 100, which we have sent
// ourselves.
async::Task<base::Result<void>> Forwarder::read_head(http::ClientExchange& backend) {
  http::ResponseHead& head = exchange_.upstream_response;
  base::TimePoint since = context_.now();
  while (true) {
    const auto read = co_await backend.read_head(head, since + *plan_.options->read_timeout);
    if (!read) {
      // The backend's time begins when it has the whole request, as with nginx: an upload may take
      // longer, and has limits of its own.
      const base::TimePoint begins = pumping_ ? context_.now() : pumped_at_;
      if (!read.error().is(ErrorCode::timed_out) || begins <= since) co_return read;
      since = begins;
      continue;
    }
    since = context_.now();
    if (!head.is_interim()) co_return base::Result<void>{};
    if (head.status == 100 || (head.status == 103 && !passes_hints())) continue;
    http::ResponseHead interim(exchange_.arena);
    interim.status = head.status;
    interim.reason = head.reason;
    for (const http::Field& field : head.fields) {
      // RFC 9110 §8.6: no Content-Length, even of 0.
      if (field.id == http::FieldName::content_length || http::is_hop_by_hop(field.id) ||
          named_by_connection(head.fields, field) || plan_.hidden.has(field.id, field.name)) {
        continue;
      }
      if (!interim.fields.add(field)) break;
    }
    CO_TRY_VOID(co_await context_.responder().send_interim(
        interim, Pace(context_.send_pace()).patience(context_.now())));
    since = context_.now();
  }
}

bool Forwarder::passes_hints() {
  if (plan_.early_hints.empty()) return plan_.hints_always;
  context_.take_time();
  script::Subject subject(exchange_);
  return std::ranges::any_of(plan_.early_hints, [&](const script::Value& condition) {
    return condition.is_true(subject);
  });
}

// A 101, or over HTTP/2 a success of an extended CONNECT.
bool Forwarder::is_tunnel_answer() const noexcept {
  const http::ResponseHead& head = exchange_.upstream_response;
  if (request_.protocol.empty()) return head.switches_protocols();
  return head.status / 100 == 2;
}

// Whoever makes a subrequest watches the client, if anybody does.
// Not while the page that this is a part of still reads its request from there.
bool Forwarder::watches_client() const noexcept {
  if (*plan_.options->ignore_client_abort) return false;
  if (context_.parent == nullptr) return true;
  if (!context_.of_page) return false;
  const Context* root = &context_;
  while (root->parent != nullptr) root = root->parent;
  return root->held != nullptr || root->body.ended();
}

}  // namespace proxy
