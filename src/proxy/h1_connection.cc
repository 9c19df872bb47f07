#include "proxy/h1_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "proxy/exchange_end.h"
#include "proxy/linger.h"
#include "proxy/request_body.h"
#include "proxy/response.h"
#include "proxy/serve.h"

namespace proxy {

using base::ErrorCode;
using http::h1::HeadProgress;
using http::h1::Refusal;
using http::h2::PrefaceMatch;
using io::Direction;
using io::Waiting;
using observe::Counter;
using observe::Level;

namespace {

// A client that has just come is not idle yet: its first request is on the way.
constexpr std::chrono::seconds kArrival{1};

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

}  // namespace

// [[gnu::noinline]] on a coroutine of this file: one that is inlined has its frame inside its
// caller's. What does not run while a connection is idle must not be part of what an idle
// connection holds; it was 10 KB.

// What the newest site has where the connection came in; null if that is nothing any more. Looked
// up once for each site, not for each request.
const ListenGroup* H1Connection::find_group() {
  const Site& site = *worker_.site;
  if (site_number_ != site.number()) {
    site_number_ = site.number();
    group_ = site.find(listener_);
  }
  return group_;
}

async::Task<bool> H1Connection::run() {
  while (co_await wait_for_request()) {
    if (facts_.requests == 0 && http::h2::match_preface(in_.readable()) != PrefaceMatch::no) {
      const auto match = co_await read_preface();
      if (match != PrefaceMatch::no) co_return match == PrefaceMatch::yes;
    }
    if (!co_await exchange_one()) break;
  }
  co_return false;
}

// A client that knows beforehand speaks HTTP/2 from its first byte (RFC 9113 §3.3), on the same
// port as others. `maybe`: it has stopped in the middle of what nobody else would begin with.
async::Task<PrefaceMatch> H1Connection::read_preface() {
  constexpr std::string_view kUnmistakable = "PRI ";
  const ListenGroup* group = find_group();
  if (group == nullptr || !group->speaks_http2()) co_return PrefaceMatch::no;
  const auto& options = group->servers[group->default_server]->level->get<ClientOptions>();
  const base::Deadline deadline = worker_.loop.now() + *options.header_timeout;
  while (true) {
    const PrefaceMatch match = http::h2::match_preface(in_.readable());
    if (match != PrefaceMatch::maybe) co_return match;
    if (in_.full()) in_.grow(in_.capacity() * 2);
    const auto count = co_await io::read(stream_, in_.writable(), deadline);
    if (count && *count > 0) {
      in_.commit(*count);
      continue;
    }
    if (!in_.readable().starts_with(kUnmistakable)) co_return PrefaceMatch::no;
    const base::Error failure =
        count ? base::Error{.code = ErrorCode::end_of_stream} : count.error();
    if (failure.is(ErrorCode::timed_out)) worker_.counters.add(Counter::limit_header_time);
    log_silent_client(failure);
    co_return PrefaceMatch::maybe;
  }
}

// Idle: no buffer, no exchange, and a drain ends it (after keepalive_min_timeout; a client that has
// just come is given kArrival). Until the first byte is here: a stream that may be readable need
// not be (a TLS record that is not whole, a body that ended where a read did).
async::Task<bool> H1Connection::wait_for_request() {
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
bool H1Connection::take_first_bytes() {
  in_.grow(io::Buffer::kSmall);
  const auto count = stream_.try_read(in_.writable());
  if (count) in_.commit(*count);
  return count || !count.error().is(ErrorCode::would_block);
}

async::Task<ReadHead> H1Connection::read_head(http::RequestHead& head, const ClientOptions& options,
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

async::Task<bool> H1Connection::exchange_one() {
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
  const ReadHead read = co_await read_head(exchange.request, options,
                                           options.max_fields(site->listing().compat_nginx));
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
    finish_exchange(context, sender);
    co_await linger(stream_, options, worker_.counters);
    co_return false;
  }
  worker_.counters.add(Counter::requests);
  worker_.counters.add(Counter::requests_active);
  co_await serve(context);
  worker_.counters.subtract(Counter::requests_active);
  const After after = finish_request(context, body, sender);
  if (after == After::linger) {
    co_await linger(stream_, context.client_options(), worker_.counters);
  }
  co_return after == After::keep;
}

H1Connection::After H1Connection::finish_request(Context& context, http::h1::BodyReader& body,
                                                 http::h1::ResponseSender& sender) {
  context.exchange.request_length += body.delivered();
  if (body.refusal() != Refusal::none) count_refusal(worker_, body.refusal());
  finish_exchange(context, sender);
  const ClientOptions& options = context.client_options();
  if (*options.reset_timed_out && (context.timed_out || context.exchange.response.status == 444)) {
    stream_.abort();
    return After::close;
  }
  if (context.closed_silently) return After::close;
  if (sender.keeps_alive() && !context.close_after && body.ended()) {
    keep_leftover(body);
    idle_timeout_ = *options.keepalive_timeout;
    min_timeout_ = *options.keepalive_min_timeout;
    return After::keep;
  }
  const bool may_send_more = !body.ended() || !body.leftover().empty() ||
                             stream_.may_be_ready(Direction::read) ||
                             *options.lingering_close == LingeringClose::always;
  return sender.ended() && may_send_more ? After::linger : After::close;
}

async::Task<void> H1Connection::refuse(Context& context, const HeadProgress& progress) {
  count_refusal(worker_, progress.refusal);
  context.close_after = true;
  context.exchange.request.keep_alive = false;
  context.exchange.request.version = http::Version::http_1_1;
  log(context, Level::info, http::h1::explain(progress.refusal));
  static_cast<void>(
      co_await respond(context, Answer{.status = status_for(context, progress.refusal)}));
}

// The client left, or was too slow, in the middle of a head. As in nginx it gets no answer, but a
// line in both logs: 408 or 400.
void H1Connection::abandon(Context& context, const ReadHead& read,
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
void H1Connection::log_silent_client(const base::Error& failure) {
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

// What was read behind this request is the beginning of the next.
void H1Connection::keep_leftover(const http::h1::BodyReader& body) {
  const std::string_view leftover = body.leftover();
  if (body.read_from_stream() == 0) {
    in_.consume(in_.size() - leftover.size());  // it is the end of in_ itself
    return;
  }
  in_.clear();
  in_.grow(leftover.size());
  in_.append(leftover);
}

}  // namespace proxy
