#include "proxy/tunnel_pass.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "async/scope.h"
#include "base/decimal.h"
#include "base/text.h"
#include "filter/add_header.h"
#include "proxy/client_watch.h"
#include "proxy/plan.h"
#include "proxy/relay.h"
#include "proxy/response.h"
#include "upstream/cluster.h"

namespace proxy {
namespace {

using base::ErrorCode;
using http::End;
using observe::Counter;
using observe::Level;

// A target that the client has chosen, at the last moment: what its name leads to now.
class Gate final : public upstream::AddressFilter {
 public:
  Gate(std::span<const TargetRule> rules, std::string_view host, std::uint16_t port) noexcept
      : rules_(rules), host_(host), port_(port) {}
  [[nodiscard]] bool admits(const base::Address& address) const noexcept override {
    return may_connect(rules_, host_, address, port_);
  }

 private:
  std::span<const TargetRule> rules_;
  std::string_view host_;
  std::uint16_t port_;
};

class Opener {
 public:
  Opener(Context& context, const TunnelPlan& plan)
      : context_(context), exchange_(context.exchange), plan_(plan) {}

  async::Task<std::optional<Answer>> run();

 private:
  // A cluster, or an answer.
  std::optional<Answer> choose_target();
  std::optional<Answer> choose_chosen_target();
  void choose_socket();
  async::Task<upstream::Acquired> connect();
  // True: another server may be tried.
  bool note_failure(const upstream::Failure& failure);
  [[nodiscard]] bool has_more() const noexcept;
  async::Task<std::optional<Answer>> serve(upstream::Lease lease);
  Answer refuse(std::string_view target);
  exchange::Attempt& begin_attempt(std::string_view endpoint);

  Context& context_;
  exchange::Exchange& exchange_;
  const TunnelPlan& plan_;
  std::string_view target_;
  upstream::Cluster* cluster_ = nullptr;
  std::shared_ptr<upstream::Cluster> made_;  // keeps one that was made for it
  std::optional<Gate> gate_;
  io::ConnectOptions socket_;
  upstream::Attempts attempts_;
  base::TimePoint began_{};
  base::TimePoint attempt_began_{};
  Answer answer_{.status = 502};
};

std::optional<Answer> Opener::choose_target() {
  if (plan_.cluster != nullptr) {
    cluster_ = &context_.site.cluster(*plan_.cluster);
    target_ = plan_.cluster->name;
    return std::nullopt;
  }
  const http::RequestHead& request = exchange_.request;
  target_ = plan_.target ? plan_.target->evaluate(exchange_)
                         : exchange_.arena.join(request.host, ":",
                                                base::decimal(request.port, exchange_.arena));
  if (auto answer = failed_evaluation(context_)) return answer;
  if (plan_.target) cluster_ = context_.site.group(target_);
  return cluster_ != nullptr ? std::nullopt : choose_chosen_target();
}

std::optional<Answer> Opener::choose_chosen_target() {
  const auto endpoint = upstream::parse_endpoint(target_);
  if (!endpoint || !endpoint->port) {
    const std::string_view why = endpoint ? "no port" : endpoint.error();
    log(context_, Level::error, fmt::format("{} in upstream \"{}\"", why, target_));
    return Answer{.status = 500};
  }
  if (plan_.checks_target) {
    const std::string host =
        endpoint->address ? endpoint->address->ip_text() : base::lower(endpoint->host);
    const auto& rules = *plan_.options->allowed;
    if (!may_lead_to(rules, host, *endpoint->port)) return refuse(target_);
    gate_.emplace(rules, exchange_.arena.copy(host), *endpoint->port);
  }
  auto cluster = context_.site.dynamic_clusters().find_or_make(target_, *endpoint->port,
                                                               plan_.keep_alive, plan_.lookup);
  if (!cluster) {
    log(context_, Level::error, fmt::format("{} in upstream \"{}\"", cluster.error(), target_));
    return Answer{.status = 500};
  }
  made_ = *std::move(cluster);
  cluster_ = made_.get();
  return std::nullopt;
}

Answer Opener::refuse(std::string_view target) {
  context_.count(Counter::access_denied);
  log(context_, Level::error, "no tunnel is opened: no tunnel_allow covers the target", target);
  return Answer{.status = 403};
}

void Opener::choose_socket() {
  const TunnelOptions& options = *plan_.options;
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

exchange::Attempt& Opener::begin_attempt(std::string_view endpoint) {
  exchange::Attempt& record = exchange_.add_attempt();
  record.endpoint = exchange_.arena.copy(endpoint);
  return record;
}

bool Opener::has_more() const noexcept {
  const std::uint64_t tries = *plan_.options->next_tries;
  const auto timeout = *plan_.options->next_timeout;
  return exchange_.attempt_count < exchange::Exchange::kMaxAttempts &&
         attempts_.count() < cluster_->max_attempts() &&
         (tries == 0 || attempts_.count() < tries) &&
         (timeout.count() == 0 || context_.now() - began_ < timeout);
}

bool Opener::note_failure(const upstream::Failure& failure) {
  using Phase = upstream::Failure::Phase;
  if (failure.error.is(ErrorCode::not_permitted) && gate_) {
    answer_ = refuse(failure.peer);
    return true;  // an address of another kind may be allowed
  }
  exchange::Attempt& record = begin_attempt(failure.peer);
  const bool timed_out =
      failure.error.is(ErrorCode::timed_out) && failure.phase != Phase::resolving;
  record.status = timed_out ? 504 : 502;
  record.response_time = context_.now() - attempt_began_;
  answer_ = {.status = record.status};
  if (failure.error.is(ErrorCode::cancelled)) {
    answer_ = {.status = 499, .close_silently = true};
    return false;
  }
  if (failure.phase == Phase::balancing) {
    log(context_, Level::error, "no live upstreams while connecting to upstream", failure.peer);
    return false;
  }
  if (failure.phase == Phase::resolving) {
    log(context_, Level::error,
        fmt::format("{} could not be resolved ({})", target_, describe(failure.error)));
    return false;
  }
  const std::string what =
      timed_out ? "upstream timed out (110: Connection timed out)" : base::describe(failure.error);
  log(context_, Level::error,
      fmt::format("{}{}{} while {}", what, failure.sentence.empty() ? "" : ": ", failure.sentence,
                  name_of(failure.phase)),
      failure.peer);
  const NextUpstream& next = *plan_.options->next_upstream;
  return timed_out ? next.timeout : next.error;
}

// With the client watched, since nothing is read from it.
async::Task<upstream::Acquired> Opener::connect() {
  const bool plain_socket = !socket_.from && !socket_.keepalive && socket_.receive_buffer == 0 &&
                            socket_.send_buffer == 0;
  const upstream::Target target{.connect_timeout = *plan_.options->connect_timeout,
                                .socket = plain_socket ? nullptr : &socket_,
                                .fresh_only = true,
                                .filter = gate_ ? &*gate_ : nullptr};
  async::Scope scope(co_await async::current_scope());
  const ClientWatch watch(context_.watches(), scope);
  co_return co_await async::within(scope, cluster_->acquire(&attempts_, target));
}

async::Task<std::optional<Answer>> Opener::run() {
  context_.take_time();
  if (exchange_.request.body.has_body() ||
      exchange_.request.fields.has(http::FieldName::content_length)) {
    log(context_, Level::info, "client sent CONNECT with a body");
    co_return Answer{.status = 400};
  }
  if (auto answer = choose_target()) co_return answer;
  choose_socket();
  if (auto answer = failed_evaluation(context_)) co_return answer;
  if (context_.recorder != nullptr) {
    context_.tell(Recorder::Step::answer, exchange_.arena.join("a tunnel to ", target_));
    co_return Answer{.status = 200, .close_silently = true};
  }
  began_ = context_.now();
  while (true) {
    attempt_began_ = context_.now();
    auto acquired = co_await connect();
    if (acquired) co_return co_await serve(*std::move(acquired));
    if (!note_failure(acquired.error()) || !has_more()) co_return answer_;
    context_.count(Counter::upstream_retries);
  }
}

async::Task<std::optional<Answer>> Opener::serve(upstream::Lease lease) {
  exchange::Attempt& record = begin_attempt(lease.peer_name());
  record.connect_time = context_.now() - attempt_began_;
  record.header_time = record.connect_time;
  record.status = 200;
  lease.report(upstream::Outcome::success);
  context_.take_time();
  http::ResponseHead& response = exchange_.response;
  response.status = 200;
  if (!begin_own_fields(context_) || !filter::apply_add_header(*context_.level, exchange_)) {
    log(context_, Level::error, "a response of our own has too many header fields");
    co_return Answer{.status = 500};
  }
  const bool http2 = exchange_.request.version == http::Version::http_2;
  context_.count(Counter::tunnels);
  const auto sent =
      co_await context_.direct.send_head(response, {}, http2 ? End::no : End::yes,
                                         Pace(context_.send_pace()).patience(context_.now()));
  if (sent) {
    const TunnelOptions& options = *plan_.options;
    const TunnelLimits limits{.silence = *options.read_timeout,
                              .to_backend = *options.send_timeout,
                              .to_client = *context_.client_options().send_timeout,
                              .buffer = *options.buffer_size};
    const TunnelBytes bytes = co_await tunnel(context_, limits, lease.stream(), {});
    record.bytes_sent = bytes.up;
    record.bytes_received = bytes.down;
    record.response_length = bytes.down;
    context_.count(Counter::upstream_bytes_out, bytes.up);
    context_.count(Counter::upstream_bytes_in, bytes.down);
    exchange_.completed = true;
  }
  record.response_time = context_.now() - attempt_began_;
  co_return std::nullopt;
}

}  // namespace

async::Task<std::optional<Answer>> open_tunnel(Context& context, const TunnelPlan& plan) {
  Opener opener(context, plan);
  co_return co_await opener.run();
}

}  // namespace proxy
