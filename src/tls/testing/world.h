// A small world for tests of TLS in one thread: clock, loop, signer, library, a source of
// certificates and both ends of a connection over the test pipe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "async/scope.h"
#include "base/check.h"
#include "io/testing/fake_clock.h"
#include "io/testing/pipe.h"
#include "tls/in_process_signer.h"
#include "tls/stream.h"
#include "tls/testing/certificates.h"

namespace tls::testing {

/// Exact names; "" is the default, without it unknown names are refused.
class NamedSource final : public CertificateSource {
 public:
  struct Server {
    ServerContext* context = nullptr;
    std::vector<CertificatePtr> certificates;
  };
  std::map<std::string, Server, std::less<>> servers;
  int asked = 0;

  Selection select(std::string_view sni) override {
    ++asked;
    auto found = servers.find(sni);
    if (found == servers.end()) found = servers.find("");
    if (found == servers.end()) return {};
    return {.context = found->second.context, .certificates = found->second.certificates};
  }
};

struct Pair {
  std::unique_ptr<TlsStream> server;
  std::unique_ptr<TlsStream> client;
  base::Result<void> server_result = base::fail(base::ErrorCode::would_block);
  base::Result<void> client_result = base::fail(base::ErrorCode::would_block);
};

class World {
 public:
  CertificatePtr add(const Issued& issued) {
    CHECK(signer.add(issued.private_key).has_value());
    return Certificate::parse(issued.certificate).value();
  }
  std::unique_ptr<ServerContext> server_context(const ServerPolicy& policy = {}) {
    return ServerContext::make(library, policy, ticket_keys).value();
  }
  std::unique_ptr<ClientContext> client_context(ClientPolicy policy = {}) {
    if (!policy.trusted) policy.verify = false;
    return ClientContext::make(library, policy).value();
  }
  std::unique_ptr<Pair> connect(ServerContext& server, ClientContext& client, ClientTarget target,
                                io::testing::PipeOptions options = {}) {
    auto [near, far] = io::testing::make_pipe(loop, options);
    auto pair = std::make_unique<Pair>();
    pair->server = TlsStream::server(std::move(near), server, source);
    pair->client = TlsStream::client(std::move(far), client, std::move(target));
    return pair;
  }
  void handshake(Pair& pair) {
    async::Scope scope;
    scope.spawn(shake(*pair.server, &pair.server_result));
    scope.spawn(shake(*pair.client, &pair.client_result));
    loop.run_until_idle();
    scope.request_stop();
    loop.run_until_idle();
  }
  static async::Task<void> shake(TlsStream& stream, base::Result<void>* result) {
    *result = co_await stream.handshake(base::kNoDeadline);
  }
  /// What `from` says arrives at `to`.
  std::string pass(io::Stream& from, io::Stream& to, std::string_view text) {
    const iovec piece = io::piece_of(text);
    std::string arrived;
    std::size_t sent = 0;
    for (int turns = 0; turns < 100000 && arrived.size() < text.size(); ++turns) {
      if (sent == 0) sent = from.try_write(std::span(&piece, 1)).value_or(0);
      std::array<char, 4096> room{};
      const auto count = to.try_read(room);
      if (count) arrived.append(room.data(), *count);
    }
    return arrived;
  }

  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  InProcessSigner signer;
  Library library{signer};
  std::shared_ptr<TicketKeys> ticket_keys =
      std::make_shared<TicketKeys>(clock, std::chrono::seconds(3600));
  NamedSource source;
};

}  // namespace tls::testing
