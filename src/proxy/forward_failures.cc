#include "proxy/forwarder.h"

#include <fmt/format.h>

#include <string>

#include "proxy/client_failure.h"
#include "proxy/grpc_directives.h"
#include "proxy/relay.h"
#include "tls/stream.h"

namespace proxy {

using base::Error;
using base::ErrorCode;
using base::ErrorSource;
using http::Refusal;
using observe::Counter;
using observe::Level;

namespace {

// A backend that refuses every request must not have it sent without end.
constexpr unsigned kMaxMoves = 3;

// Or `rule`, where the codec says more exactly what was broken.
std::string_view sentence(Refusal refusal, std::string_view rule) {
  switch (refusal) {
    case Refusal::none: return {};
    // nginx's words, and what to do about it.
    case Refusal::line_too_long:
      return "upstream sent too big header: a header line is longer than the limit "
             "(proxy_buffer_size)";
    case Refusal::head_too_large:
      return "upstream sent too big header: the head is larger than the limit (proxy_buffer_size)";
    case Refusal::too_many_fields:
      return "upstream sent too big header: more header fields than the limit (proxy_max_headers)";
    default: return rule.empty() ? explain(refusal) : rule;
  }
}

}  // namespace

Forwarder::Verdict Forwarder::connect_failed(const upstream::Failure& failure) {
  exchange::Attempt& record = begin_attempt(failure.peer);
  const bool timed_out = failure.error.is(ErrorCode::timed_out);
  record.status = timed_out ? 504 : 502;
  record.response_time = context_.now() - attempt_began_;
  answer_ = {.status = record.status};
  if (failure.error.is(ErrorCode::cancelled)) {
    answer_ = {.status = 499, .close_silently = true};
    return Verdict::failed;
  }
  const std::string phase = fmt::format("while {}", name_of(failure.phase));
  if (failure.phase == upstream::Failure::Phase::balancing) {
    log(context_, Level::error, "no live upstreams while connecting to upstream", upstream_url());
    return Verdict::failed;
  }
  if (failure.phase == upstream::Failure::Phase::resolving) {
    log(context_, Level::error,
        fmt::format("{} could not be resolved ({})", destination_.authority,
                    describe(failure.error)),
        upstream_url());
    record.status = 502;  // as nginx's, also when the name servers were too slow
    answer_ = {.status = 502};
    return Verdict::failed;  // no server has been tried, and there is no other
  }
  log_failure(Level::error, failure.error, phase, failure.sentence);
  const NextUpstream& next = *plan_.options->next_upstream;
  return (timed_out ? next.timeout : next.error) ? Verdict::retry : Verdict::failed;
}

Forwarder::Verdict Forwarder::request_failed(upstream::Lease& lease, http::ClientExchange& backend,
                                             const Error& error, std::string_view phase) {
  exchange::Attempt& record = current();
  const bool timed_out = error.is(ErrorCode::timed_out);
  record.status = timed_out ? 504 : 502;
  record.response_time = context_.now() - attempt_began_;
  if (error.is(ErrorCode::cancelled)) {
    answer_ = {.status = 499, .close_silently = true};
    log(context_, Level::info, fmt::format("{} {}", why_cancelled(), phase), upstream_url());
    return Verdict::failed;
  }
  answer_ = {.status = record.status};
  // Over HTTP/2 a backend says what it has not looked at (GOAWAY, REFUSED_STREAM).
  const bool unprocessed = backend.unprocessed() && has_whole_request();
  if (unprocessed && moves_ < kMaxMoves) {
    ++moves_;
    context_.count(Counter::upstream_moved);
    return Verdict::repeat;
  }
  // A kept connection that died before a byte of the answer: closed for idleness, most likely.
  const bool stale = lease.reused() && !backend.answered() &&
                     (error.is(ErrorCode::reset) || error.is(ErrorCode::end_of_stream));
  // One that others use as well may die again and again.
  const bool again = !lease.is_shared() || moves_++ < kMaxMoves;
  if (stale && again && may_repeat() &&
      exchange_.attempt_count < exchange::Exchange::kMaxAttempts) {
    return Verdict::repeat;
  }
  context_.count(Counter::upstream_failures);
  if (timed_out) {
    context_.count(Counter::upstream_timeouts);
    context_.count(Counter::limit_upstream_read_time);
  }
  const bool refused = error.is(ErrorCode::protocol) || error.is(ErrorCode::too_large);
  count_refusal(backend.refusal());
  lease.report(upstream::Outcome::failure);
  std::string_view why = sentence(backend.refusal(), error.context);
  if (lease.tls() != nullptr && !backend.answered()) {
    // In TLS 1.3 a backend that misses our certificate says so only now, by an alert or a reset.
    if (error.is(ErrorCode::tls)) {
      why = lease.tls()->failure();
    } else if (lease.tls()->certificate_missed()) {
      why =
          "the backend has asked for a certificate and got none; set proxy_ssl_certificate and "
          "proxy_ssl_certificate_key";
    }
  }
  if (why.empty() && refused) why = error.context;  // of the whole connection
  log_failure(Level::error, error, phase, why);
  const NextUpstream& next = *plan_.options->next_upstream;
  const bool wanted = refused ? next.invalid_header : timed_out ? next.timeout : next.error;
  return wanted && (unprocessed || may_ask_another()) ? Verdict::retry : Verdict::failed;
}

// The response has begun to go to the client, or was about to.
Forwarder::Verdict Forwarder::relay_failed(const Error& error, Refusal refusal) {
  context_.close_after = true;
  if (error.is(ErrorCode::cancelled)) {
    if (pump_error_) return client_failed(*pump_error_);
    context_.count(Counter::requests_aborted);
    log(context_, Level::info, fmt::format("{} while sending to client", why_cancelled()),
        upstream_url());
    answer_ = {.status = 499, .close_silently = true};
    return Verdict::failed;
  }
  if (error.source == ErrorSource::upstream) {
    context_.count(Counter::upstream_failures);
    if (error.is(ErrorCode::timed_out)) {
      context_.count(Counter::upstream_timeouts);
      context_.count(Counter::limit_upstream_read_time);
    }
    count_refusal(refusal);
    log_failure(Level::error, error, "while reading upstream", sentence(refusal, error.context));
    if (!context_.responder().head_sent()) {
      answer_ = {.status = 502};
      return Verdict::failed;
    }
    // The client must see that something is missing: no orderly end.
    if (is_call_) {
      owes_end_ = true;
    } else {
      context_.cut_off();
    }
  } else if (!context_.responder().head_sent()) {
    log_failure(Level::error, error, "while sending to client");
    answer_ = {.status = 502};
    return Verdict::failed;
  } else {
    context_.count(Counter::requests_aborted);
    const bool timed_out = error.is(ErrorCode::timed_out);
    const bool too_slow = timed_out && error.context == kBelowSendRate;
    context_.timed_out = timed_out;
    if (timed_out) context_.count(too_slow ? Counter::limit_send_rate : Counter::limit_send_time);
    log(context_, Level::info,
        fmt::format("{} while sending to client",
                    too_slow    ? std::string(kBelowSendRate)
                    : timed_out ? "client timed out (110: Connection timed out)"
                                : describe(error)),
        upstream_url());
  }
  return Verdict::done;
}

Forwarder::Verdict Forwarder::refuse_response(std::string_view why) {
  current().status = 502;
  current().response_time = context_.now() - attempt_began_;
  context_.count(Counter::upstream_refused);
  log(context_, Level::error, why, upstream_url());
  answer_ = {.status = 502};
  return Verdict::failed;
}

// What the client and the configuration made together can't be sent. Nothing was, so the backend is
// not to blame, and must not lose its place for it.
Forwarder::Verdict Forwarder::refuse_request(const Error& error) {
  current().status = 0;
  log(context_, Level::error, error.context, upstream_url());
  answer_ = {.status = 500};
  return Verdict::failed;
}

Forwarder::Verdict Forwarder::client_failed(const Error& error) {
  context_.close_after = true;
  current().response_time = context_.now() - attempt_began_;
  if (error.source == ErrorSource::upstream) {
    answer_ = {.status = error.is(ErrorCode::timed_out) ? 504U : 502U};
    log_failure(Level::error, error, "while sending request to upstream");
    return Verdict::failed;
  }
  answer_ = answer_client_failure(context_, error);
  log(context_, Level::info, client_sentence(context_, error), upstream_url());
  return Verdict::failed;
}

void Forwarder::count_refusal(Refusal refusal) {
  if (refusal == Refusal::none) return;
  context_.count(Counter::upstream_refused);
  count_upstream_limit(context_.worker.counters, refusal);
  context_.worker.counters.add(context_.worker.refusals.responses,
                               static_cast<std::size_t>(refusal));
}

std::string_view Forwarder::upstream_url() {
  const std::string_view endpoint =
      exchange_.attempt_count > 0 ? current().endpoint : destination_.authority;
  return exchange_.arena.join(plan_.is_grpc() ? "grpc" : "http", destination_.https ? "s" : "",
                              "://", endpoint, destination_.target);
}

void Forwarder::tell(Level level, std::string_view message, std::string_view upstream) {
  if (!plan_.is_grpc()) return log(context_, level, message, upstream);
  log(context_, level, in_grpc_names(message), upstream);
}

void Forwarder::log_failure(Level level, const Error& error, std::string_view phase,
                            std::string_view extra) {
  std::string what;
  switch (error.code) {
    case ErrorCode::timed_out: what = "upstream timed out (110: Connection timed out)"; break;
    case ErrorCode::end_of_stream: what = "upstream prematurely closed connection"; break;
    case ErrorCode::protocol:
    case ErrorCode::too_large: what = "upstream sent an invalid response"; break;
    default: what = describe(error);
  }
  if (!extra.empty())
    what = extra.starts_with("upstream") ? std::string(extra) : fmt::format("{}: {}", what, extra);
  tell(level, fmt::format("{} {}", what, phase), upstream_url());
}

}  // namespace proxy
