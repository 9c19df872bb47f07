#include "snapshot/testing/proxy_world.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/check.h"
#include "exchange/exchange.h"
#include "proxy/site.h"

namespace snapshot::testing {

void Peer::send(std::string_view text) {
  loop_->run_until_idle();
  while (!text.empty()) {
    const iovec piece = io::piece_of(text);
    const auto sent = stream_->try_write({&piece, 1});
    if (!sent && !sent.error().is(base::ErrorCode::would_block)) return;  // is_over() tells
    text.remove_prefix(sent.value_or(0));
    loop_->run_until_idle();
  }
}

std::string Peer::received() {
  std::string all;
  loop_->run_until_idle();
  std::array<char, 4096> room{};
  while (true) {
    const auto count = stream_->try_read(room);
    if (!count || *count == 0) return all;
    all.append(room.data(), *count);
    loop_->run_until_idle();
  }
}

std::size_t Peer::take(std::size_t count) {
  loop_->run_until_idle();
  std::string room(count, '\0');
  const auto taken = stream_->try_read(room);
  loop_->run_until_idle();
  return taken.value_or(0);
}

bool Peer::is_over() {
  loop_->run_until_idle();
  std::array<char, 1> byte{};
  const auto count = stream_->try_read(byte);
  CHECK(!count || *count == 0);  // received() comes first
  return count.has_value() || !count.error().is(base::ErrorCode::would_block);
}

bool Peer::was_reset() {
  std::array<char, 1> byte{};
  const auto count = stream_->try_read(byte);
  return !count && count.error().is(base::ErrorCode::reset);
}

void Peer::shut_down() {
  stream_->shutdown_write();
  loop_->run_until_idle();
}

void Peer::close() {
  stream_.reset();
  loop_->run_until_idle();
}

async::Task<base::Result<std::unique_ptr<io::Stream>>> PipeConnector::connect(
    base::Address peer, base::Deadline /*deadline*/) {
  addresses.push_back(peer.text());
  if (std::ranges::find(refusing, peer.text()) != refusing.end()) {
    co_return base::fail(base::error_from_errno(ECONNREFUSED, "connect() failed"));
  }
  auto [ours, backend] = io::testing::make_pipe(loop_, pipe);
  connections.push_back(std::make_unique<Peer>(loop_, std::move(backend)));
  co_return std::move(ours);
}

async::Task<std::expected<upstream::Transport, upstream::HandshakeFailure>> PipeConnector::secure(
    std::unique_ptr<io::Stream> plain, upstream::TlsTarget /*target*/, std::string /*session_key*/,
    base::Deadline /*deadline*/) {
  co_return upstream::Transport{.stream = std::move(plain)};
}

async::Task<base::Result<io::Resolution>> NoResolver::resolve(std::string /*name*/,
                                                              std::uint16_t /*port*/,
                                                              base::Deadline /*deadline*/) {
  co_return base::fail(base::ErrorCode::not_found, "host not found");
}

async::Task<base::Result<io::ServiceResolution>> NoResolver::resolve_service(
    std::string /*name*/, base::Deadline /*deadline*/) {
  co_return base::fail(base::ErrorCode::not_found);
}

std::optional<io::ServiceResolution> NoResolver::known_service(std::string_view /*name*/) {
  return std::nullopt;
}

std::shared_ptr<io::Resolver> NoResolvers::find(const io::DnsOptions& /*options*/) {
  return std::make_shared<NoResolver>();
}

std::optional<io::Resolution> NoResolver::known(std::string_view /*name*/, std::uint16_t /*port*/) {
  return std::nullopt;
}

ProxyWorld::ProxyWorld(std::string_view configuration, std::string_view listening)
    : worker{.index = 0,
             .loop = loop,
             .resolvers = resolvers,
             .tls = tls,
             .signer = signer,
             .ticket_keys = std::make_shared<tls::TicketKeys>(clock, std::chrono::seconds(3600)),
             .counters = counters,
             .refusals = {},
             .connections = connections,
             .connection_numbers = connection_numbers,
             .site = nullptr,
             .connector = &connector,
             .background = &background},
      listener(*base::Address::from_ip_and_port(listening)) {
  read(configuration);
  worker.site = snapshot->activate(worker).value();
}

void ProxyWorld::read(std::string_view configuration) {
  files.add("/etc/sallyport.conf", configuration);
  config::Diagnostics diagnostics;
  snapshot = load({.file = "/etc/sallyport.conf",
                   .prefix = "/prefix",
                   .global_directives = {},
                   .error_log = "/prefix/error.log",
                   .temporary_directory = "/tmp"},
                  files, diagnostics);
  if (snapshot == nullptr) std::fputs(diagnostics.render().c_str(), stderr);
  CHECK(snapshot != nullptr);
}

void ProxyWorld::reload(std::string_view configuration) {
  read(configuration);
  auto next = snapshot->activate(worker).value();
  worker.site->retire(next.get());
  worker.site = std::move(next);
  loop.run_until_idle();
}

ProxyWorld::~ProxyWorld() {
  connections.request_stop();
  loop.run_until_idle();
  CHECK(connections.running() == 0);
  background.request_stop();
  loop.run_until_idle();
}

Peer ProxyWorld::connect(io::testing::PipeOptions pipe, std::string_view from) {
  auto [ours, client] = io::testing::make_pipe(loop, pipe);
  auto facts = std::make_unique<exchange::Connection>();
  facts->number = ++connection_numbers;
  facts->peer = *base::Address::from_ip(from, 40000);
  facts->local = listener;
  facts->accepted_at = loop.now();
  connections.spawn(proxy::serve_http(worker, std::move(facts), std::move(ours), listener));
  loop.run_until_idle();
  return {loop, std::move(client)};
}

void ProxyWorld::pass(base::Duration time) {
  clock.advance(time);
  loop.run_until_idle();
}

std::string ProxyWorld::log(std::string_view name) {
  loop.run_until_idle();
  return files.text_of(name);
}

}  // namespace snapshot::testing
