#include "proxy/h2_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "guard/offenders.h"
#include "http/h2/server_connection.h"
#include "http/h2/server_stream.h"
#include "proxy/exchange_end.h"
#include "proxy/extended_connect.h"
#include "proxy/http2_options.h"
#include "proxy/linger.h"
#include "proxy/request_body.h"
#include "proxy/response.h"
#include "proxy/serve.h"

namespace proxy {
namespace {

using http::h2::ConnectionEnd;
using http::h2::ServerStream;
using observe::Counter;
using observe::Level;

// Of a client that is sent away for a flood, this much more is read, so that it may hear why.
constexpr std::size_t kFarewell = 64 * 1024;

// Whoever has flooded lately may do a quarter of what others may, after each time it did.
void be_strict(http::h2::Limits& limits, unsigned offences) {
  if (offences == 0) return;
  for (http::h2::Rate* rate :
       {&limits.resets, &limits.settings, &limits.pings, &limits.priorities, &limits.window_updates,
        &limits.empty_frames, &limits.tiny_data, &limits.unknown_frames}) {
    rate->burst = std::max(rate->burst >> std::min(2 * offences, 31U), std::min(rate->burst, 2U));
    rate->per_second = (rate->per_second + 3) / 4;
  }
}

// What the connection is told from its beginning: the default server's, as the names that requests
// will have are not known.
http::h2::ServerOptions options_of(const Worker& worker, const exchange::Connection& facts,
                                   const ListenGroup& group) {
  const VirtualServer& server = *group.servers[group.default_server];
  const auto& client = server.level->get<ClientOptions>();
  http::h2::Limits limits = http2_limits(server.level->get<Http2Options>(), client,
                                         worker.site->listing().compat_nginx, group.serves_calls);
  if (worker.offenders != nullptr) be_strict(limits, worker.offenders->count(facts.peer));
  return {.limits = limits,
          .header_timeout = *client.header_timeout,
          .idle_timeout = *client.keepalive_timeout,
          .write_timeout = *client.send_timeout,
          .budget = worker.http2_budget};
}

class H2Connection final : private http::h2::ServerHandler {
 public:
  H2Connection(Worker& worker, exchange::Connection& facts, io::Stream& stream,
               const base::Address& listener, const ListenGroup& group)
      : worker_(worker),
        facts_(facts),
        listener_(listener),
        connection_(stream, *this, options_of(worker, facts, group), worker.counters) {}

  async::Task<ConnectionEnd> run(std::string_view begun) {
    connection_.begin_with(begun);
    on_idle(true);
    const ConnectionEnd end = co_await connection_.run();
    on_idle(false);
    note_end(end);
    co_return end;
  }

 private:
  async::Task<void> serve(ServerStream& stream) override;
  void on_malformed(std::string_view rule) noexcept override;
  void on_idle(bool idle) noexcept override;
  void finish(Context& context, ServerStream& stream);
  [[nodiscard]] const VirtualServer* shown_server(const Site& site, const ListenGroup& group) const;
  void note_end(const ConnectionEnd& end);
  void log_end(Level level, std::string_view message);
  [[nodiscard]] const ListenGroup* find_group(const Site& site) const {
    return site.find(listener_);
  }

  Worker& worker_;
  exchange::Connection& facts_;
  const base::Address& listener_;
  http::h2::ServerConnection connection_;
  bool idle_ = false;  // as counted
  bool draining_ = false;
};

// Of a request that began with us: what HTTP/1 keeps in its connection's buffer is the stream's
// here.
async::Task<void> H2Connection::serve(ServerStream& stream) {
  const std::shared_ptr<Site> site = worker_.site;
  const ListenGroup* group = find_group(*site);
  if (group == nullptr) {
    stream.client().abort();
    co_return;
  }
  base::Arena& arena = stream.arena();
  exchange::Exchange exchange(facts_, arena);
  exchange.named_captures =
      arena.make_array<std::optional<std::string_view>>(site->listing().slot_count);
  exchange.started = stream.began();
  exchange.started_wall = worker_.loop.wall();
  exchange.request = std::move(stream.head());
  exchange.early = stream.client().is_early();
  ++facts_.requests;
  RequestBody body(stream.body(), stream.responder(), worker_.loop,
                   exchange.request.expect_continue);
  const VirtualServer* first = group->servers[group->default_server];
  Context context{.worker = worker_,
                  .site = *site,
                  .listener = *group,
                  .exchange = exchange,
                  .body = body,
                  .direct = stream.responder(),
                  .client = stream.client(),
                  .recorder = worker_.recorder};
  context.shown = shown_server(*site, *group);
  context.server = first;
  context.level = first->level;
  exchange.server_name = first->name;
  worker_.counters.add(Counter::requests);
  worker_.counters.add(Counter::requests_active);
  http::Refusal refusal = stream.refusal();
  if (!exchange.request.protocol.empty() && !read_as_upgrade(exchange.request)) {
    refusal = http::Refusal::too_many_fields;
  }
  if (refusal != http::Refusal::none) {
    count_refusal(worker_, refusal);
    log(context, Level::info, http::explain(refusal));
    static_cast<void>(co_await respond(context, Answer{.status = status_for(context, refusal)}));
  } else {
    co_await proxy::serve(context);
  }
  worker_.counters.subtract(Counter::requests_active);
  finish(context, stream);
}

// nginx serves whatever is asked for; null then, and in the clear.
const VirtualServer* H2Connection::shown_server(const Site& site, const ListenGroup& group) const {
  if (!facts_.tls || site.listing().compat_nginx) return nullptr;
  base::Captures captures;
  return &group.find(facts_.tls_server_name, captures, {});
}

void H2Connection::finish(Context& context, ServerStream& stream) {
  context.exchange.request_length = stream.bytes_received();
  finish_exchange(context, stream.responder());
  const ClientOptions& options = context.client_options();
  const bool reset = context.closed_silently || (*options.reset_timed_out && context.timed_out);
  if (reset) stream.client().abort();
  connection_.set_idle(*options.keepalive_timeout, *options.keepalive_min_timeout);
  const bool last = facts_.requests >= *options.keepalive_requests;
  const bool old = context.now() - facts_.accepted_at > *options.keepalive_time;
  if ((!last && !old) || std::exchange(draining_, true)) return;
  context.count(last ? Counter::limit_keepalive_requests : Counter::limit_keepalive_age);
  connection_.drain();
}

void H2Connection::on_malformed(std::string_view rule) noexcept {
  worker_.counters.add(Counter::requests_refused);
  log_end(Level::info, fmt::format("client sent an HTTP/2 request that is malformed: {}", rule));
}

void H2Connection::on_idle(bool idle) noexcept {
  if (idle == std::exchange(idle_, idle)) return;
  if (idle) {
    worker_.counters.add(Counter::connections_idle);
  } else {
    worker_.counters.subtract(Counter::connections_idle);
  }
}

void H2Connection::note_end(const ConnectionEnd& end) {
  using enum ConnectionEnd::How;
  switch (end.how) {
    case closed:
    case cancelled: return;
    case idle: return worker_.counters.add(Counter::limit_keepalive_time);
    case silent:
      worker_.counters.add(Counter::limit_header_time);
      return log_end(Level::info,
                     "client timed out (110: Connection timed out) while waiting for request");
    case stalled:
      worker_.counters.add(Counter::limit_send_time);
      return log_end(Level::info,
                     "client timed out (110: Connection timed out) while sending to client");
    case failed:
      return log_end(Level::info, describe(end.error) + " while processing HTTP/2 connection");
    case protocol:
      return log_end(Level::info, fmt::format("client broke HTTP/2's rules: {}", end.reason));
    case flood:
      if (worker_.offenders != nullptr) {
        worker_.offenders->report(
            {.kind = observe::Offence::Kind::flood, .peer = facts_.peer, .rule = end.reason});
      }
      return log_end(
          Level::warn,
          fmt::format("client's HTTP/2 connection was ended (ENHANCE_YOUR_CALM): {}", end.reason));
  }
}

void H2Connection::log_end(Level level, std::string_view message) {
  const auto& sink = *worker_.site->listing().error_log;
  if (!sink.enabled(level)) return;
  const std::string client = facts_.peer.ip_text();
  const std::string server = facts_.local.text();
  sink.write(level, message, {.connection = facts_.number, .client = client, .server = server});
}

}  // namespace

async::Task<void> serve_h2(Worker& worker, exchange::Connection& facts, io::Stream& stream,
                           const base::Address& listener, std::string_view begun) {
  const ListenGroup* group = worker.site->find(listener);
  if (group == nullptr) co_return;
  facts.http2 = true;
  ConnectionEnd end;
  {
    H2Connection connection(worker, facts, stream, listener, *group);
    end = co_await connection.run(begun);
  }
  group = worker.site->find(listener);  // of the site as it is now
  if (!end.linger || group == nullptr) co_return;
  const auto& options = group->servers[group->default_server]->level->get<ClientOptions>();
  const bool flooded = end.how == ConnectionEnd::How::flood;
  co_await linger(stream, options, worker.counters,
                  flooded ? kFarewell : std::numeric_limits<std::size_t>::max());
}

}  // namespace proxy
