// A client's connection as it comes: the PROXY protocol, TLS, and which HTTP it speaks.
#include <optional>
#include <utility>

#include "proxy/context.h"
#include "proxy/h1_connection.h"
#include "proxy/h2_connection.h"
#include "proxy/proxy_header.h"
#include "tls/stream.h"

namespace proxy {
namespace {

using base::ErrorCode;
using observe::Counter;
using observe::Level;

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
  if (facts->tls_alpn == "h2") {
    co_await serve_h2(worker, *facts, *stream, listener, begun);
    co_return;
  }
  bool is_h2 = false;
  {
    H1Connection connection(worker, *facts, *stream, listener);
    connection.begin_with(std::exchange(begun, {}));
    is_h2 = co_await connection.run();
    if (is_h2) begun = connection.received();
  }
  if (is_h2) co_await serve_h2(worker, *facts, *stream, listener, begun);
  // The stream's destructor ends it in order (close_notify, FIN), unless it was told to abort.
}

}  // namespace proxy
