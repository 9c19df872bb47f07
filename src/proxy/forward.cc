#include "proxy/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <utility>

#include "http/h1/client_exchange.h"
#include "http/list.h"
#include "proxy/accel.h"
#include "proxy/client_certificates.h"
#include "proxy/client_failure.h"
#include "proxy/client_watch.h"
#include "proxy/hold_body.h"
#include "proxy/outgoing.h"
#include "proxy/relay.h"
#include "proxy/request_body.h"
#include "proxy/reroute.h"
#include "proxy/response.h"
#include "tls/stream.h"

namespace proxy {
namespace {

using base::Error;
using base::ErrorCode;
using base::ErrorSource;
using http::End;
using http::h1::Refusal;
using observe::Counter;
using observe::Level;
using Kind = http::BodyFraming::Kind;

// What a backend may send as its head.
http::h1::HeadLimits response_limits(const ForwardOptions& options) {
  return {.max_line = *options.head_size,
          .max_total = *options.head_size,
          .max_fields = *options.max_headers};
}

std::string_view sentence(Refusal refusal) {
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
    default: return explain(refusal);
  }
}

class Forwarder {
 public:
  Forwarder(Context& context, const ForwardPlan& plan)
      : context_(context), exchange_(context.exchange), plan_(plan), request_(exchange_.arena) {}

  async::Task<std::optional<Answer>> run();

 private:
  enum class Verdict : std::uint8_t {
    done,    // an answer was sent, or what could be sent of it
    retry,   // another peer may be tried
    repeat,  // the kept connection was closed for idleness: the same peer on a fresh one
    failed,
  };

  async::Task<std::optional<Answer>> take_body();
  [[nodiscard]] bool replace_body();
  [[nodiscard]] bool has_whole_body() const noexcept;
  void choose_socket();
  async::Task<std::optional<Answer>> attempts_at(upstream::Cluster& cluster);
  [[nodiscard]] std::optional<Answer> tell_recorder();
  [[nodiscard]] bool begin_anew();
  [[nodiscard]] bool choose_certificate();
  [[nodiscard]] std::optional<Verdict> take_over();
  [[nodiscard]] Verdict follow_redirect(std::string_view target);
  void keep_fields(std::initializer_list<http::FieldName> names);
  async::Task<Verdict> attempt(upstream::Lease lease);
  async::Task<Verdict> converse(upstream::Lease& lease, http::h1::ClientExchange& backend,
                                async::Scope& scope);
  [[nodiscard]] bool passes_hints();
  async::Task<base::Result<void>> read_head(http::h1::ClientExchange& backend);
  async::Task<Verdict> pass_response(upstream::Lease& lease, http::h1::ClientExchange& backend);
  async::Task<Verdict> switch_protocols(upstream::Lease& lease, http::h1::ClientExchange& backend);
  async::Task<void> pump(http::h1::BodyWriter& writer, async::Scope& scope);

  Verdict connect_failed(const upstream::Failure& failure);
  Verdict request_failed(upstream::Lease& lease, http::h1::ClientExchange& backend,
                         const Error& error, std::string_view phase);
  Verdict refuse_response(std::string_view why);
  Verdict refuse_request(const Error& error);
  Verdict client_failed(const Error& error);
  void count_refusal(Refusal refusal);
  void log_failure(Level level, const Error& error, std::string_view phase,
                   std::string_view extra = {});
  [[nodiscard]] std::string_view upstream_url();
  [[nodiscard]] bool may_repeat() const noexcept;
  [[nodiscard]] bool may_ask_another() const noexcept;
  [[nodiscard]] bool has_more() const noexcept;
  [[nodiscard]] bool watches_client() const noexcept;
  [[nodiscard]] bool is_passed_over(unsigned status) const;
  exchange::Attempt& begin_attempt(std::string_view endpoint);
  [[nodiscard]] exchange::Attempt& current() {
    return exchange_.attempts[exchange_.attempt_count - 1];
  }

  Context& context_;
  exchange::Exchange& exchange_;
  const ForwardPlan& plan_;
  Destination destination_;
  http::h1::OutgoingRequest request_;
  std::string_view own_body_;  // proxy_set_body, or nothing for proxy_pass_request_body off
  bool replaces_body_ = false;
  http::Method method_ = http::Method::get;  // that the backend is asked with
  io::ConnectOptions socket_;
  upstream::Attempts attempts_;
  Answer answer_{.status = 502};
  std::optional<Error> pump_error_;
  std::optional<ClientWatch> watch_;  // while an attempt lasts and nothing is read from the client
  upstream::Cluster* cluster_ = nullptr;
  base::TimePoint began_{};  // the first attempt
  base::TimePoint attempt_began_{};
  base::TimePoint pumped_at_{};  // when the whole request was sent, if pump() did it
  ClientCertificateCache::Shown certificate_;  // named by variables; null: another, or none
  bool pumping_ = false;
  bool upgrade_ = false;
  bool streams_body_ = false;  // the body is sent as it arrives
};

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
  method_ = http::parse_method(request_.method);
  choose_socket();
  if (destination_.https && plan_.tls_policy == nullptr) {
    log(context_, Level::error,
        "no authorities are known to verify an https backend by: set "
        "proxy_ssl_trusted_certificate");
    co_return Answer{.status = 502};
  }
  if (context_.recorder != nullptr) co_return tell_recorder();
  if (!plan_.dynamic) co_return co_await attempts_at(context_.site.cluster(*plan_.cluster));
  if (destination_.group != nullptr) co_return co_await attempts_at(*destination_.group);
  auto cluster = context_.site.dynamic_clusters().find_or_make(
      destination_.authority, destination_.https ? 443 : 80, plan_.keep_alive, plan_.lookup);
  if (!cluster) {
    log(context_, Level::error,
        fmt::format("{} in upstream \"{}\"", cluster.error(), destination_.authority));
    co_return Answer{.status = 500};
  }
  co_return co_await attempts_at(**cluster);
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

// Holds the body, or decides that it is streamed; chooses the framing toward the backend.
async::Task<std::optional<Answer>> Forwarder::take_body() {
  replaces_body_ = plan_.set_body || !*plan_.options->pass_request_body;
  if (context_.body_refused) {  // not even what another location had accepted
    context_.held.reset();
    exchange_.request_body.reset();
    co_return std::nullopt;
  }
  request_.body = exchange_.request.body;
  if (!request_.body.has_body()) co_return std::nullopt;
  if (!context_.held && context_.body.touched()) {
    context_.close_after = true;
    log(context_, Level::error,
        "the request's body went to another backend and cannot be sent again: set "
        "\"proxy_request_buffering on\" where that backend is");
    co_return Answer{.status = 500};
  }
  const bool needs_length = request_.body.kind == Kind::chunked &&
                            *plan_.options->http_version == http::Version::http_1_0;
  if (!context_.held) {
    if (!*plan_.options->request_buffering && !needs_length && !replaces_body_) {
      streams_body_ = true;
      co_return std::nullopt;
    }
    if (auto answer = co_await hold_body(context_)) co_return answer;
  }
  const HeldBody& held = *context_.held;
  request_.body = held.size() == 0 && request_.body.kind == Kind::chunked
                      ? http::BodyFraming{}
                      : http::BodyFraming{Kind::length, held.size()};
  co_return std::nullopt;
}

// False: what the configuration makes of it can't be sent.
bool Forwarder::replace_body() {
  if (!replaces_body_) return true;
  if (plan_.set_body) {
    script::Subject subject(exchange_);
    own_body_ = plan_.set_body->evaluate(subject);
    if (subject.failed) return false;
  }
  request_.body =
      own_body_.empty() ? http::BodyFraming{} : http::BodyFraming{Kind::length, own_body_.size()};
  return true;
}

// It can be sent in one write with the head.
bool Forwarder::has_whole_body() const noexcept {
  return replaces_body_ || (!streams_body_ && (!context_.held || context_.held->in_memory()));
}

// proxy_bind and the socket's options. As nginx: an address that is none is told, and not used.
void Forwarder::choose_socket() {
  const ForwardOptions& options = *plan_.options;
  socket_.keepalive = *options.socket_keepalive;
  socket_.receive_buffer = static_cast<int>(*options.socket_rcvbuf);
  socket_.send_buffer = static_cast<int>(*options.socket_sndbuf);
  if (!plan_.bind) return;
  const std::string_view text = plan_.bind->evaluate(exchange_);
  if (text.empty()) return;
  socket_.from = parse_local_address(text);
  if (!socket_.from) {
    log(context_, Level::error, fmt::format("invalid local address \"{}\"", text));
  }
}

async::Task<std::optional<Answer>> Forwarder::attempts_at(upstream::Cluster& cluster) {
  upstream::TlsTarget tls;
  std::string preface;
  if (const auto version = *plan_.options->proxy_protocol) {
    preface = io::make_proxy_header(*version, exchange_.remote, exchange_.connection.local);
  }
  const bool plain_socket = !socket_.from && !socket_.keepalive && socket_.receive_buffer == 0 &&
                            socket_.send_buffer == 0;
  upstream::Target target{.connect_timeout = *plan_.options->connect_timeout,
                          .socket = plain_socket ? nullptr : &socket_,
                          .preface = preface};
  if (destination_.https) {
    tls.context = context_.site.client_context(*plan_.tls_policy);
    if (!choose_certificate()) co_return Answer{.status = 502};
    if (certificate_ != nullptr) tls.context = certificate_->context.get();
    tls.context_id = tls.context->id();
    std::string_view name = plan_.tls_name.evaluate(exchange_);
    if (auto answer = failed_evaluation(context_)) co_return answer;
    // As nginx does: the name without a port.
    if (const auto colon = name.rfind(':');
        colon != std::string_view::npos && (name.ends_with(']') || name.find(':') == colon)) {
      name = name.substr(0, name.starts_with('[') && name.ends_with(']') ? name.size() : colon);
    }
    tls.verify_name = name;
    if (plan_.send_sni) tls.server_name = name;
    target.tls = &tls;
  }
  cluster_ = &cluster;
  began_ = context_.now();
  while (true) {
    attempt_began_ = context_.now();
    auto acquired = co_await cluster.acquire(&attempts_, target);
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

// The certificate that variables name. False when it can't be shown: without it the backend would
// take the request for somebody else's.
bool Forwarder::choose_certificate() {
  if (plan_.named_certificate == nullptr) return true;
  const NamedCertificate& named = *plan_.named_certificate;
  script::Subject subject(exchange_);
  const std::string_view certificate = named.certificate.evaluate(subject);
  const std::string_view key = named.key.evaluate(subject);
  if (subject.failed) {  // an empty name would mean no certificate
    context_.count(Counter::upstream_certificate_names_refused);
    log(context_, Level::error,
        "no file is opened: the name that the variables in \"proxy_ssl_certificate\" or its key "
        "give is too long; see where their values come from",
        upstream_url());
    return false;
  }
  auto found = context_.site.client_certificates(context_.worker, named).find(certificate, key);
  if (!found) {
    log(context_, Level::error, found.error(), upstream_url());
    return false;
  }
  certificate_ = *std::move(found);
  return true;
}

exchange::Attempt& Forwarder::begin_attempt(std::string_view endpoint) {
  exchange::Attempt& record = exchange_.add_attempt();
  record.endpoint = exchange_.arena.copy(endpoint);
  return record;
}

async::Task<Forwarder::Verdict> Forwarder::attempt(upstream::Lease lease) {
  exchange::Attempt& record = begin_attempt(lease.peer_name());
  const auto number = exchange_.attempt_count;
  record.connect_time = context_.now() - attempt_began_;
  async::Scope scope(co_await async::current_scope());
  pumping_ = false;
  pumped_at_ = {};
  http::h1::ClientExchange backend(lease.stream(), method_, exchange_.arena,
                                   response_limits(*plan_.options));
  if (!streams_body_ && watches_client()) {
    watch_.emplace(context_.client, scope);
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
  // The context of a certificate that is not kept is this request's alone.
  const bool only_ours = certificate_ != nullptr && plan_.named_certificate->cache.most == 0;
  // A pump that was stopped leaves its message unfinished: such a connection is not clean.
  const bool reusable =
      verdict == Verdict::done && !only_ours && backend.clean() &&
      exchange_.upstream_response.keep_alive &&
      !http::list_has(request_.fields.value(http::FieldName::connection), "close");
  // The logs show the head when this attempt is long over.
  context_.leave_upstream_head();
  context_.upstream_head = backend.take_head_buffer();
  // Not before the join: until then the pump may wait on the stream.
  if (reusable) {
    lease.release_for_reuse();
  } else {
    lease.close();
  }
  co_return verdict;
}

async::Task<Forwarder::Verdict> Forwarder::converse(upstream::Lease& lease,
                                                    http::h1::ClientExchange& backend,
                                                    async::Scope& scope) {
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
  if (!sent && !sent.error().is(ErrorCode::reset)) {
    co_return request_failed(lease, backend, sent.error(), "while sending request to upstream");
  }
  if (sent && !in_one_write) {
    pumping_ = true;
    scope.spawn(pump(backend.request_body(), scope));
  }
  if (const auto head = co_await read_head(backend); !head) {
    // Half a head is none; its views would not outlive the attempt.
    exchange_.upstream_response = http::ResponseHead(exchange_.arena);
    if (pump_error_) co_return client_failed(*pump_error_);
    co_return request_failed(lease, backend, head.error(),
                             "while reading response header from upstream");
  }
  current().status = exchange_.upstream_response.status;
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
  if (exchange_.upstream_response.switches_protocols()) {
    co_return co_await switch_protocols(lease, backend);
  }
  co_return co_await pass_response(lease, backend);
}

// Answers that the client does not get as they are: X-Accel-Redirect, proxy_intercept_errors.
std::optional<Forwarder::Verdict> Forwarder::take_over() {
  const http::ResponseHead& head = exchange_.upstream_response;
  const std::string_view target = head.fields.value(http::FieldName::x_accel_redirect);
  if (!target.empty() && !plan_.options->ignores(http::FieldName::x_accel_redirect)) {
    return follow_redirect(target);
  }
  if (!*plan_.options->intercept_errors || head.status < 300) return std::nullopt;
  if (!has_error_page(context_, head.status)) return std::nullopt;
  // The rest of the body has nobody to go to.
  if (streams_body_ && !context_.body.ended()) context_.close_after = true;
  answer_ = {.status = head.status};
  if (head.status == 401) keep_fields({http::FieldName::www_authenticate});
  return Verdict::failed;
}

// What the client gets of the backend's head although its response comes from elsewhere.
void Forwarder::keep_fields(std::initializer_list<http::FieldName> names) {
  const http::Fields& fields = exchange_.upstream_response.fields;
  const auto is_kept = [&](const http::Field& field) {
    return std::ranges::find(names, field.id) != names.end();
  };
  const auto count = static_cast<std::size_t>(std::ranges::count_if(fields, is_kept));
  const auto kept = exchange_.arena.make_array<http::Field>(count);
  auto into = kept.begin();
  for (const http::Field& field : fields) {
    if (!is_kept(field)) continue;
    *into++ = {field.id, exchange_.arena.copy(field.name), exchange_.arena.copy(field.value)};
  }
  context_.kept_fields = kept;
}

// nginx's list of what a backend may say of the file that it sends the request to.
Forwarder::Verdict Forwarder::follow_redirect(std::string_view target) {
  take_instructions(context_, plan_);
  using enum http::FieldName;
  context_.kept_type = exchange_.arena.copy(exchange_.upstream_response.fields.value(content_type));
  keep_fields({content_disposition, set_cookie, cache_control, expires});
  if (exchange_.request.method != http::Method::head && !target.starts_with('@')) {
    exchange_.request.method = http::Method::get;
    exchange_.request.method_text = "GET";
  }
  auto refused = go_to_uri(context_, target);
  if (!refused) return Verdict::done;
  answer_ = *refused;
  return Verdict::failed;
}

async::Task<void> Forwarder::pump(http::h1::BodyWriter& writer, async::Scope& scope) {
  BodySource source;
  if (streams_body_) {
    source.streaming = &context_.body;
  } else {
    source.held = context_.held.get();
  }
  const auto pumped = co_await pump_request(context_, plan_, source, 0, writer);
  pumping_ = false;
  pumped_at_ = context_.now();
  // The body was what read from the client, and so noticed when it left.
  if (pumped && streams_body_ && context_.body.ended() && watches_client()) {
    watch_.emplace(context_.client, scope);
  }
  if (pumped || pumped.error().is(ErrorCode::cancelled)) co_return;
  pump_error_ = pumped.error();
  scope.request_stop();
}

// The final response's head; interim ones go to the client, except 100, which we have sent
// ourselves.
async::Task<base::Result<void>> Forwarder::read_head(http::h1::ClientExchange& backend) {
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
      if (http::is_hop_by_hop(field.id) || plan_.hidden.has(field.id, field.name)) continue;
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

async::Task<Forwarder::Verdict> Forwarder::pass_response(upstream::Lease& lease,
                                                         http::h1::ClientExchange& backend) {
  lease.report(upstream::Outcome::success);
  context_.take_time();
  // What the client sent behind a failed upgrade was meant for the other protocol.
  if (upgrade_ || (streams_body_ && !context_.body.ended())) context_.close_after = true;
  if (!make_response(context_, plan_)) {
    if (auto failed = failed_evaluation(context_)) {
      answer_ = *failed;
      context_.close_after = true;
      co_return Verdict::failed;
    }
    co_return refuse_response("upstream sent too many header fields");
  }
  if (exchange_.response.status == 416 && exchange_.upstream_response.status == 200) {
    answer_ = {.status = 416,
               .content_range = exchange_.arena.copy(
                   exchange_.response.fields.value(http::FieldName::content_range))};
    co_return Verdict::failed;  // the connection is not kept: its body is not wanted
  }
  http::h1::BodyReader& body =
      backend.open_body(exchange_.upstream_response, chunked_limits(context_.client_options()));
  const auto relayed = co_await relay_response(context_, plan_, body);
  current().response_time = context_.now() - attempt_began_;
  current().response_length = body.delivered();
  for (const http::Field& trailer : body.trailers()) {
    if (!exchange_.upstream_trailers.add(trailer)) break;
  }
  if (relayed) {
    exchange_.completed = true;
    co_return Verdict::done;
  }
  context_.close_after = true;
  if (relayed.error().is(ErrorCode::cancelled)) {
    if (pump_error_) co_return client_failed(*pump_error_);
    context_.count(Counter::requests_aborted);
    log(context_, Level::info, "client prematurely closed connection while sending to client",
        upstream_url());
    answer_ = {.status = 499, .close_silently = true};
    co_return Verdict::failed;
  }
  if (relayed.error().source == ErrorSource::upstream) {
    context_.count(Counter::upstream_failures);
    if (relayed.error().is(ErrorCode::timed_out)) {
      context_.count(Counter::upstream_timeouts);
      context_.count(Counter::limit_upstream_read_time);
    }
    count_refusal(body.refusal());
    log_failure(Level::error, relayed.error(), "while reading upstream", sentence(body.refusal()));
    if (!context_.responder().head_sent()) {
      answer_ = {.status = 502};
      co_return Verdict::failed;
    }
    // The client must see that something is missing: no orderly end.
    context_.cut_off();
  } else if (!context_.responder().head_sent()) {
    log_failure(Level::error, relayed.error(), "while sending to client");
    answer_ = {.status = 502};
    co_return Verdict::failed;
  } else {
    context_.count(Counter::requests_aborted);
    const Error& error = relayed.error();
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
  co_return Verdict::done;
}

async::Task<Forwarder::Verdict> Forwarder::switch_protocols(upstream::Lease& lease,
                                                            http::h1::ClientExchange& backend) {
  context_.close_after = true;
  const http::ResponseHead& head = exchange_.upstream_response;
  if (!upgrade_ || !head.upgrade) {
    co_return refuse_response("upstream switched protocols without being asked");
  }
  lease.report(upstream::Outcome::success);
  http::ResponseHead& response = exchange_.response;
  context_.take_time();
  const bool made =
      make_response(context_, plan_) &&
      response.fields.add(http::FieldName::connection, "upgrade") &&
      response.fields.add(http::FieldName::upgrade, head.fields.value(http::FieldName::upgrade));
  if (!made) co_return refuse_response("upstream sent too many header fields");
  context_.count(Counter::tunnels);
  // From now on a client that ends its side has only ended its side.
  watch_.reset();
  const auto sent = co_await context_.responder().send_head(
      response, {}, End::yes, Pace(context_.send_pace()).patience(context_.now()));
  if (sent) {
    co_await tunnel(context_, plan_, lease.stream(), backend.after_head());
    exchange_.completed = true;
  }
  current().response_time = context_.now() - attempt_began_;
  co_return Verdict::done;
}

bool Forwarder::may_repeat() const noexcept {
  // nginx's rule: not after a request that may have had effects was sent. A streamed body is gone.
  return http::is_idempotent(exchange_.request.method) && http::is_idempotent(method_) &&
         !(streams_body_ && context_.body.touched());
}

// proxy_next_upstream non_idempotent has effects happen twice, but no body comes twice.
bool Forwarder::may_ask_another() const noexcept {
  return may_repeat() || (plan_.options->next_upstream->non_idempotent &&
                          !(streams_body_ && context_.body.touched()));
}

// Whoever makes a subrequest watches the client, if anybody does.
bool Forwarder::watches_client() const noexcept {
  return context_.parent == nullptr && !*plan_.options->ignore_client_abort;
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

Forwarder::Verdict Forwarder::request_failed(upstream::Lease& lease,
                                             http::h1::ClientExchange& backend, const Error& error,
                                             std::string_view phase) {
  exchange::Attempt& record = current();
  const bool timed_out = error.is(ErrorCode::timed_out);
  record.status = timed_out ? 504 : 502;
  record.response_time = context_.now() - attempt_began_;
  if (error.is(ErrorCode::cancelled)) {
    answer_ = {.status = 499, .close_silently = true};
    log(context_, Level::info, fmt::format("client prematurely closed connection {}", phase),
        upstream_url());
    return Verdict::failed;
  }
  answer_ = {.status = record.status};
  // A kept connection that died before a byte of the answer: closed for idleness, most likely.
  const bool stale = lease.reused() && !backend.answered() &&
                     (error.is(ErrorCode::reset) || error.is(ErrorCode::end_of_stream));
  if (stale && may_repeat() && exchange_.attempt_count < exchange::Exchange::kMaxAttempts) {
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
  std::string_view why = sentence(backend.refusal());
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
  log_failure(Level::error, error, phase, why);
  const NextUpstream& next = *plan_.options->next_upstream;
  const bool wanted = refused ? next.invalid_header : timed_out ? next.timeout : next.error;
  return wanted && may_ask_another() ? Verdict::retry : Verdict::failed;
}

void Forwarder::count_refusal(Refusal refusal) {
  if (refusal == Refusal::none) return;
  context_.count(Counter::upstream_refused);
  count_upstream_limit(context_.worker.counters, refusal);
  context_.worker.counters.add(context_.worker.refusals.responses,
                               static_cast<std::size_t>(refusal));
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

std::string_view Forwarder::upstream_url() {
  const std::string_view endpoint =
      exchange_.attempt_count > 0 ? current().endpoint : destination_.authority;
  return exchange_.arena.join(destination_.https ? "https://" : "http://", endpoint,
                              destination_.target);
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
  log(context_, level, fmt::format("{} {}", what, phase), upstream_url());
}

}  // namespace

async::Task<std::optional<Answer>> forward(Context& context, const ForwardPlan& plan) {
  Forwarder forwarder(context, plan);
  co_return co_await forwarder.run();
}

}  // namespace proxy
