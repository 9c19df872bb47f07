// The life of a client's connection: TLS, then one exchange after the other.
#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>

#include "http/h1/body_reader.h"
#include "http/h1/request_parser.h"
#include "http/h1/response_sender.h"
#include "observe/histogram.h"
#include "proxy/context.h"
#include "proxy/proxy_header.h"
#include "proxy/request_body.h"
#include "proxy/response.h"
#include "proxy/serve.h"
#include "tls/stream.h"

namespace proxy {
namespace {

using base::ErrorCode;
using http::h1::HeadProgress;
using http::h1::Refusal;
using io::Direction;
using io::Waiting;
using observe::Counter;
using observe::Level;

// [[gnu::noinline]] on a coroutine of this file: one that is inlined has its frame inside its
// caller's. What does not run while a connection is idle must not be part of what an idle
// connection holds; it was 10 KB.

// A client that is read for longer than this at once lets the others have a turn.
constexpr std::size_t kLingerTurn = 256 * 1024;

// A client that has just come is not idle yet: its first request is on the way.
constexpr std::chrono::seconds kArrival{1};

constexpr std::uint64_t kNginxMaxHeaders = 1000;  // under `compat nginx`, unless max_headers is set

// A client may go on sending after we have answered for the last time: closing at once would reset
// the connection, and the client might lose the answer.
[[gnu::noinline]] async::Task<void> linger(io::Stream& stream, const ClientOptions& options,
                                           observe::Counters& counters) {
  if (*options.lingering_close == LingeringClose::off) co_return;
  stream.shutdown_write();
  io::EventLoop& loop = stream.loop();
  const base::Deadline end = loop.now() + *options.lingering_time;
  io::Buffer buffer(io::Buffer::kLarge / 4);
  for (std::size_t turn = 0; loop.now() < end;) {
    buffer.clear();
    const base::Deadline deadline = io::Patience(end, *options.lingering_timeout).until(loop.now());
    const auto count = co_await io::read(stream, buffer.writable(), deadline);
    if ((!count && !count.error().is(ErrorCode::timed_out)) || (count && *count == 0)) co_return;
    if (!count && deadline < end) co_return;  // lingering_timeout
    turn += count.value_or(0);
    if (turn < kLingerTurn) continue;
    turn = 0;
    if (!co_await io::sleep_until(loop, loop.now() + io::TimerWheel::kTick)) co_return;
  }
  counters.add(Counter::limit_lingering_time);
}

// What was read of a head, and the client's failure if that is not all of it.
struct ReadHead {
  HeadProgress progress;
  base::Error failure{};
  bool line_came = false;  // the request line is complete
};

class HttpConnection {
 public:
  HttpConnection(Worker& worker, exchange::Connection& facts, io::Stream& stream,
                 const base::Address& listener) noexcept
      : worker_(worker), facts_(facts), stream_(stream), listener_(listener) {}

  void begin_with(std::string_view text) {
    if (text.empty()) return;
    in_.grow(text.size());
    in_.append(text);
  }
  async::Task<void> run();

 private:
  async::Task<bool> wait_for_request();
  [[nodiscard]] bool take_first_bytes();
  [[gnu::noinline]] async::Task<bool> exchange_one();
  async::Task<ReadHead> read_head(http::RequestHead& head, const ClientOptions& options,
                                  std::uint64_t max_fields);
  async::Task<bool> serve_request(Context& context, http::h1::BodyReader& body,
                                  http::h1::ResponseSender& sender);
  async::Task<void> refuse(Context& context, const HeadProgress& progress);
  void abandon(Context& context, const ReadHead& read, const http::h1::ResponseSender& sender);
  void log_silent_client(const base::Error& failure);
  void write_access_log(Context& context, const http::h1::ResponseSender& sender);
  void finish(Context& context, const http::h1::ResponseSender& sender);
  void count_traffic(const Context& context);
  void count_refusal(Refusal refusal) {
    worker_.counters.add(counter_for(refusal));
    worker_.counters.add(worker_.refusals.requests, static_cast<std::size_t>(refusal));
  }
  void keep_leftover(const http::h1::BodyReader& body);
  [[nodiscard]] const ListenGroup* find_group();

  Worker& worker_;
  exchange::Connection& facts_;
  io::Stream& stream_;
  const base::Address& listener_;
  io::Buffer in_;
  const ListenGroup* group_ = nullptr;  // as of the site of that number
  std::uint64_t site_number_ = 0;
  // Of the last request's location: how long the connection may be idle, and must be let be.
  std::chrono::milliseconds idle_timeout_{0};
  std::chrono::milliseconds min_timeout_{0};
};

// What the newest site has where the connection came in; null if that is nothing any more. Looked
// up once for each site, not for each request.
const ListenGroup* HttpConnection::find_group() {
  const Site& site = *worker_.site;
  if (site_number_ != site.number()) {
    site_number_ = site.number();
    group_ = site.find(listener_);
  }
  return group_;
}

async::Task<void> HttpConnection::run() {
  while (co_await wait_for_request()) {
    if (!co_await exchange_one()) break;
  }
}

// Idle: no buffer, no exchange, and a drain ends it (after keepalive_min_timeout; a client that has
// just come is given kArrival). Until the first byte is here: a stream that may be readable need
// not be (a TLS record that is not whole, a body that ended where a read did).
async::Task<bool> HttpConnection::wait_for_request() {
  if (!in_.empty()) co_return !worker_.connections.draining();
  in_.release();
  const ListenGroup* group = find_group();
  if (group == nullptr) co_return false;
  if (facts_.requests == 0) {
    const auto& options = group->servers[group->default_server]->level->get<ClientOptions>();
    idle_timeout_ = *options.header_timeout;
  }
  const base::TimePoint began = worker_.loop.now();
  const base::Deadline end = began + idle_timeout_;
  const base::Duration at_least = facts_.requests == 0 ? base::Duration(kArrival) : min_timeout_;
  worker_.counters.add(Counter::connections_idle);
  base::Result<void> ready;
  // One co_await for both ways of waiting: each has its place in what an idle connection holds.
  for (Waiting way = at_least.count() > 0 ? Waiting::busy : Waiting::idle;; way = Waiting::idle) {
    const base::Deadline until =
        way == Waiting::busy ? std::min(end, base::Deadline(began + at_least)) : end;
    do {
      in_.release();
      ready = co_await io::ready(stream_, Direction::read, until, way);
    } while (ready && !take_first_bytes());
    if (ready || !ready.error().is(ErrorCode::timed_out) || worker_.loop.now() >= end) break;
  }
  worker_.counters.subtract(Counter::connections_idle);
  if (!ready && ready.error().is(ErrorCode::timed_out)) {
    worker_.counters.add(facts_.requests == 0 ? Counter::limit_header_time
                                              : Counter::limit_keepalive_time);
    if (facts_.requests == 0) log_silent_client(ready.error());
  }
  const bool is_gone = ready && in_.empty();
  if (is_gone && facts_.requests == 0) log_silent_client({.code = ErrorCode::end_of_stream});
  co_return ready && !is_gone;
}

// False: there was nothing to read after all. True without a byte: the client is gone.
bool HttpConnection::take_first_bytes() {
  in_.grow(io::Buffer::kSmall);
  const auto count = stream_.try_read(in_.writable());
  if (count) in_.commit(*count);
  return count || !count.error().is(ErrorCode::would_block);
}

async::Task<ReadHead> HttpConnection::read_head(http::RequestHead& head,
                                                const ClientOptions& options,
                                                std::uint64_t max_fields) {
  const http::h1::HeadLimits limits{
      .max_line = *options.large_buffer_size,
      .max_total = *options.large_buffer_count * *options.large_buffer_size,
      .max_fields = max_fields};
  http::h1::RequestHeadParser parser(limits);
  const base::Deadline deadline = worker_.loop.now() + *options.header_timeout;
  in_.compact();
  in_.grow(std::max<std::size_t>(io::Buffer::kSmall, *options.header_buffer_size));
  while (true) {
    const HeadProgress progress = parser.feed(in_.readable(), head);
    if (progress.done() || progress.refused()) co_return ReadHead{.progress = progress};
    if (in_.full()) in_.grow(in_.capacity() * 2);  // the parser refuses what passes its limits
    const auto count = co_await io::read(stream_, in_.writable(), deadline);
    if (count && *count > 0) {
      in_.commit(*count);
      continue;
    }
    if (!count && count.error().is(ErrorCode::timed_out)) {
      worker_.counters.add(Counter::limit_header_time);
    }
    parser.take_line(in_.readable(), head);
    co_return ReadHead{
        .progress = progress,
        .failure = count ? base::Error{.code = ErrorCode::end_of_stream} : count.error(),
        .line_came = !head.method_text.empty()};
  }
}

async::Task<bool> HttpConnection::exchange_one() {
  const std::shared_ptr<Site> site = worker_.site;
  const ListenGroup* group = find_group();
  if (group == nullptr) co_return false;
  base::Arena arena;
  exchange::Exchange exchange(facts_, arena);
  exchange.named_captures =
      arena.make_array<std::optional<std::string_view>>(site->listing().slot_count);
  exchange.started = worker_.loop.now();
  exchange.started_wall = worker_.loop.wall();
  const VirtualServer* first = group->servers[group->default_server];
  const auto& options = first->level->get<ClientOptions>();
  const ReadHead read = co_await read_head(
      exchange.request, options,
      options.max_headers.value_or(site->listing().compat_nginx ? kNginxMaxHeaders
                                                                : *options.max_headers));
  const HeadProgress& progress = read.progress;
  const bool complete = progress.done() || progress.refused();
  if (!complete && in_.empty()) {
    if (facts_.requests == 0) log_silent_client(read.failure);
    co_return false;
  }
  ++facts_.requests;
  exchange.early = stream_.is_early();
  exchange.request_length = complete ? progress.size : in_.size();
  http::h1::BodyReader body(stream_, progress.done() ? exchange.request.body : http::BodyFraming{},
                            in_.readable().substr(progress.size), arena, chunked_limits(options));
  http::h1::ResponseSender sender(stream_, exchange.request);
  RequestBody limited(body, sender, worker_.loop, exchange.request.expect_continue);
  Context context{
      .worker = worker_,
      .site = *site,
      .listener = *group,
      .exchange = exchange,
      .body = limited,
      .direct = sender,
      .client = stream_,
      .recorder = worker_.recorder,
      .pipelined = exchange.request.body.has_body() ? std::string_view{} : body.leftover()};
  context.server = first;
  context.level = first->level;
  exchange.server_name = first->name;
  if (!complete) {
    abandon(context, read, sender);
    co_return false;
  }
  if (progress.refused()) {
    co_await refuse(context, progress);
    finish(context, sender);
    co_await linger(stream_, options, worker_.counters);
    co_return false;
  }
  co_return co_await serve_request(context, body, sender);
}

async::Task<bool> HttpConnection::serve_request(Context& context, http::h1::BodyReader& body,
                                                http::h1::ResponseSender& sender) {
  worker_.counters.add(Counter::requests);
  worker_.counters.add(Counter::requests_active);
  co_await serve(context);
  worker_.counters.subtract(Counter::requests_active);
  context.exchange.request_length += body.delivered();
  if (body.refusal() != Refusal::none) count_refusal(body.refusal());
  finish(context, sender);
  const ClientOptions& options = context.client_options();
  if (*options.reset_timed_out && (context.timed_out || context.exchange.response.status == 444)) {
    stream_.abort();
    co_return false;
  }
  if (context.closed_silently) co_return false;
  if (sender.keeps_alive() && !context.close_after && body.ended()) {
    keep_leftover(body);
    idle_timeout_ = *options.keepalive_timeout;
    min_timeout_ = *options.keepalive_min_timeout;
    co_return true;
  }
  const bool may_send_more = !body.ended() || !body.leftover().empty() ||
                             stream_.may_be_ready(Direction::read) ||
                             *options.lingering_close == LingeringClose::always;
  if (sender.ended() && may_send_more) co_await linger(stream_, options, worker_.counters);
  co_return false;
}

async::Task<void> HttpConnection::refuse(Context& context, const HeadProgress& progress) {
  count_refusal(progress.refusal);
  context.close_after = true;
  context.exchange.request.keep_alive = false;
  context.exchange.request.version = http::Version::http_1_1;
  log(context, Level::info, http::h1::explain(progress.refusal));
  unsigned status = http::h1::status_of(progress.refusal);
  if (status == 431 && context.site.listing().compat_nginx)
    status = 494;  // nginx's page and status
  static_cast<void>(co_await respond(context, Answer{.status = status}));
}

// nginx's words for what a client did instead of going on; `while_doing` begins with "while".
std::string sentence_for(const base::Error& failure, std::string_view while_doing) {
  switch (failure.code) {
    case ErrorCode::timed_out:
      return fmt::format("client timed out (110: Connection timed out) {}", while_doing);
    case ErrorCode::end_of_stream:
      return fmt::format("client prematurely closed connection {}", while_doing);
    default: return fmt::format("{} {}", describe(failure), while_doing);
  }
}

// The client left, or was too slow, in the middle of a head. As in nginx it gets no answer, but a
// line in both logs: 408 or 400.
void HttpConnection::abandon(Context& context, const ReadHead& read,
                             const http::h1::ResponseSender& sender) {
  if (read.failure.is(ErrorCode::cancelled)) return;  // it is we who leave
  log(context, Level::info,
      sentence_for(read.failure, read.line_came ? "while reading client request headers"
                                                : "while reading client request line"));
  const bool timed_out = read.failure.is(ErrorCode::timed_out);
  if (timed_out && *context.client_options().reset_timed_out) stream_.abort();
  context.exchange.response.status = timed_out ? 408 : 400;
  write_access_log(context, sender);
  worker_.counters.add(Counter::bytes_in, context.exchange.request_length);
}

// The same before the first byte of the first request, where there is no exchange yet.
void HttpConnection::log_silent_client(const base::Error& failure) {
  const auto& sink = *worker_.site->listing().error_log;
  if (!sink.enabled(Level::info) || failure.is(ErrorCode::cancelled)) return;
  const std::string client = facts_.peer.ip_text();
  const std::string server = facts_.local.text();
  const std::string message =
      failure.is(ErrorCode::end_of_stream)
          ? std::string("client closed connection while waiting for request")
          : sentence_for(failure, "while waiting for request");
  sink.write(Level::info, message,
             {.connection = facts_.number, .client = client, .server = server});
}

void HttpConnection::write_access_log(Context& context, const http::h1::ResponseSender& sender) {
  exchange::Exchange& exchange = context.exchange;
  context.take_time();
  exchange.bytes_sent += sender.bytes_sent();
  exchange.body_bytes_sent += sender.bytes_sent() - sender.head_bytes_sent();
  exchange.head_sent = sender.head_sent();
  exchange.completed = exchange.completed || sender.ended();
  const auto& logs = context.level->get<accesslog::Logs>();
  if (!logs->empty()) context.site.access_log().write(*logs, exchange);
  static_cast<void>(failed_evaluation(context));  // it is too late for an answer
}

// Once for each exchange: byte counts, counters, the access log.
void HttpConnection::finish(Context& context, const http::h1::ResponseSender& sender) {
  if (context.recorder != nullptr) return context.recorder->finished(context);
  write_access_log(context, sender);
  const exchange::Exchange& exchange = context.exchange;
  worker_.counters.add(observe::response_counter(exchange.response.status));
  worker_.counters.add(Counter::bytes_in, exchange.request_length);
  worker_.counters.add(Counter::bytes_out, exchange.bytes_sent);
  count_traffic(context);
}

// For the server and the location, and how long it took. How long a tunnel was open is no answer
// time.
void HttpConnection::count_traffic(const Context& context) {
  const exchange::Exchange& exchange = context.exchange;
  const auto count = [&](const config::Level& level) {
    const auto* place = level.find<PlaceNumber>();
    if (place == nullptr) return;
    context.site.traffic()
        .at(place->number)
        .count(exchange.response.status, exchange.request_length, exchange.bytes_sent);
  };
  count(*context.server->level);
  if (context.location != nullptr) count(*context.location->level);
  if (worker_.request_times == nullptr || exchange.response.status < 200) return;
  const auto time = std::chrono::duration_cast<std::chrono::microseconds>(
      std::max(exchange.now - exchange.started, base::Duration{}));
  worker_.request_times->add(static_cast<std::uint64_t>(time.count()));
}

// What was read behind this request is the beginning of the next.
void HttpConnection::keep_leftover(const http::h1::BodyReader& body) {
  const std::string_view leftover = body.leftover();
  if (body.read_from_stream() == 0) {
    in_.consume(in_.size() - leftover.size());  // it is the end of in_ itself
    return;
  }
  in_.clear();
  in_.grow(leftover.size());
  in_.append(leftover);
}

void log_handshake_failure(const Worker& worker, const exchange::Connection& facts,
                           const base::Error& error, std::string_view detail) {
  const auto& sink = *worker.site->listing().error_log;
  if (!sink.enabled(Level::info)) return;
  const std::string client = facts.peer.ip_text();
  const std::string server = facts.local.text();
  const std::string what = detail.empty() ? describe(error) : std::string(detail);
  sink.write(Level::info, what + " while SSL handshaking",
             {.connection = facts.number, .client = client, .server = server});
}

// Views are of the stream, which outlives the connection's exchanges.
void note_tls(exchange::Connection& facts, tls::TlsStream& stream) {
  facts.tls = true;
  facts.tls_protocol = stream.protocol();
  facts.tls_cipher = stream.cipher();
  facts.tls_server_name = stream.sni();
  facts.tls_alpn = stream.alpn();
  facts.tls_signature = stream.signature_scheme();
  facts.tls_session_id = stream.session_id();
  facts.tls_curve = stream.curve();
  facts.tls_resumed = stream.resumed();
  if (const auto hello = stream.take_client_hello()) {
    facts.tls_offer = std::make_unique<exchange::Connection::TlsOffer>(
        exchange::Connection::TlsOffer{.ciphers = std::move(hello->ciphers),
                                       .curves = std::move(hello->groups),
                                       .signatures = std::move(hello->signature_schemes),
                                       .ja4 = std::move(hello->ja4)});
  }
}

// The encrypted stream, or null when the connection is over. A client that speaks HTTP in the clear
// is answered likewise, by what the configuration has for 497: `begun` is what was read of it.
[[gnu::noinline]] async::Task<std::unique_ptr<io::Stream>> secure(
    Worker& worker, exchange::Connection& facts, std::unique_ptr<io::Stream> plain,
    const ListenGroup& group, std::shared_ptr<Site> site, std::string& begun) {
  Site::Source source(*site, group);
  auto stream = tls::TlsStream::server(std::move(plain), source.initial(), source);
  const auto& options = group.servers[group.default_server]->level->get<ClientOptions>();
  const auto done = co_await stream->handshake(worker.loop.now() + *options.header_timeout);
  if (!done) {
    if (done.error().context == tls::TlsStream::kPlainHttpRequest) {
      worker.counters.add(Counter::plain_on_tls_port);
      facts.plain_on_tls_port = true;
      auto plaintext = stream->take_plaintext();
      begun = std::move(plaintext.bytes);
      co_return std::move(plaintext.stream);
    }
    if (done.error().is(ErrorCode::timed_out)) worker.counters.add(Counter::limit_handshake_time);
    worker.counters.add(Counter::handshakes_failed);
    log_handshake_failure(worker, facts, done.error(), stream->failure());
    co_return nullptr;
  }
  worker.counters.add(stream->resumed() ? Counter::handshakes_resumed : Counter::handshakes_full);
  count_handshake(worker.counters, worker.handshakes, stream->protocol(), stream->cipher());
  note_tls(facts, *stream);
  co_return stream;
}

// What an open connection keeps, apart from the coroutine that runs it.
struct OpenConnection {
  std::unique_ptr<exchange::Connection> facts;
  std::unique_ptr<io::Stream> stream;  // null: there is nothing to serve
  std::string begun;  // what was read of the first request already
};

[[nodiscard, gnu::noinline]] async::Task<OpenConnection> open_connection(Worker& worker,
                                                                         io::Accepted accepted,
                                                                         base::Address local) {
  OpenConnection open;
  const std::shared_ptr<Site> site = worker.site;
  const ListenGroup* group = site->find(local);
  if (group == nullptr) co_return open;
  auto socket = io::SocketStream::adopt(worker.loop, std::move(accepted.socket));
  if (!socket) co_return open;
  open.facts = std::make_unique<exchange::Connection>();
  exchange::Connection& facts = *open.facts;
  facts.number = worker.connection_numbers.fetch_add(1, std::memory_order_relaxed) + 1;
  facts.peer = accepted.peer;
  facts.local = local.is_wildcard() ? (*socket)->local_address() : local;
  facts.accepted_at = worker.loop.now();
  facts.socket = (*socket)->fd();
  facts.totals = worker.totals;
  const auto& options = group->servers[group->default_server]->level->get<ClientOptions>();
  if (*options.tcp_nodelay && !local.is_unix()) (*socket)->set_no_delay(true);
  open.stream = *std::move(socket);
  if (group->proxy_protocol && !co_await take_proxy_header(worker, facts, *open.stream, *group)) {
    open.stream.reset();
    co_return open;
  }
  if (group->tls) {
    open.stream = co_await secure(worker, facts, std::move(open.stream), *group, site, open.begun);
  }
  co_return open;
}

}  // namespace

async::Task<void> serve_connection(Worker& worker, io::Accepted accepted, base::Address local) {
  OpenConnection open = co_await open_connection(worker, std::move(accepted), local);
  if (open.stream == nullptr) co_return;
  co_await serve_http(worker, std::move(open.facts), std::move(open.stream), std::move(local),
                      std::move(open.begun));
}

async::Task<void> serve_http(Worker& worker, std::unique_ptr<exchange::Connection> facts,
                             std::unique_ptr<io::Stream> stream, base::Address listener,
                             std::string begun) {
  HttpConnection connection(worker, *facts, *stream, listener);
  connection.begin_with(std::exchange(begun, {}));
  co_await connection.run();
  // The stream's destructor ends it in order (close_notify, FIN), unless it was told to abort.
}

}  // namespace proxy
