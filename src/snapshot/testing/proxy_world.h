// ProxyWorld: the proxy as one worker runs it, made from configuration text, for tests. Clients and
// backends are pipes, time is the test's: no socket, no file of the disk, no real clock.
//
//   ProxyWorld world("server { listen 127.0.0.1:8000; location / { proxy_pass http://10.0.0.1; }
//   }"); Peer client = world.connect(); client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
//   world.backend().send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
//   client.received();
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/scope.h"
#include "config/memory_files.h"
#include "io/event_loop.h"
#include "io/resolver.h"
#include "io/testing/fake_clock.h"
#include "io/testing/pipe.h"
#include "observe/counters.h"
#include "proxy/worker.h"
#include "snapshot/snapshot.h"
#include "tls/in_process_signer.h"
#include "tls/library.h"
#include "tls/ticket_keys.h"
#include "upstream/connector.h"

namespace snapshot::testing {

/// The test's end of a connection. Whatever it does, the loop then runs until nothing happens any
/// more.
class Peer {
 public:
  Peer(io::EventLoop& loop, std::unique_ptr<io::Stream> stream) noexcept
      : loop_(&loop), stream_(std::move(stream)) {}

  void send(std::string_view text);
  /// What has arrived since the last call.
  [[nodiscard]] std::string received();
  /// Takes only that much, or what there is of it.
  std::size_t take(std::size_t count);
  /// The other side has ended or reset the connection (after what received() gives).
  [[nodiscard]] bool is_over();
  [[nodiscard]] bool was_reset();
  /// Ends this side only.
  void shut_down();
  void close();

 private:
  io::EventLoop* loop_;
  std::unique_ptr<io::Stream> stream_;
};

/// Backends at every address; those in `refusing` refuse.
class PipeConnector final : public upstream::Connector {
 public:
  explicit PipeConnector(io::EventLoop& loop) noexcept : loop_(loop) {}
  [[nodiscard]] async::Task<base::Result<std::unique_ptr<io::Stream>>> connect(
      base::Address peer, base::Deadline deadline) override;
  [[nodiscard]] async::Task<std::expected<upstream::Transport, upstream::HandshakeFailure>> secure(
      std::unique_ptr<io::Stream> plain, upstream::TlsTarget target, std::string session_key,
      base::Deadline deadline) override;

  std::vector<std::string> addresses;  // of all connections, in order
  std::vector<std::unique_ptr<Peer>> connections;  // likewise
  std::vector<std::string> refusing;
  io::testing::PipeOptions pipe;

 private:
  io::EventLoop& loop_;
};

class NoResolver final : public io::Resolver {
 public:
  [[nodiscard]] async::Task<base::Result<io::Resolution>> resolve(std::string name,
                                                                  std::uint16_t port,
                                                                  base::Deadline deadline) override;
  [[nodiscard]] std::optional<io::Resolution> known(std::string_view name,
                                                    std::uint16_t port) override;
  [[nodiscard]] async::Task<base::Result<io::ServiceResolution>> resolve_service(
      std::string name, base::Deadline deadline) override;
  [[nodiscard]] std::optional<io::ServiceResolution> known_service(std::string_view name) override;
};

class NoResolvers final : public io::Resolvers {
 public:
  [[nodiscard]] std::shared_ptr<io::Resolver> find(const io::DnsOptions& options) override;
};

class ProxyWorld {
 public:
  /// CHECKs that the configuration is sound. `listener`: where connect() arrives.
  explicit ProxyWorld(std::string_view configuration, std::string_view listener = "127.0.0.1:8000");
  ~ProxyWorld();
  ProxyWorld(const ProxyWorld&) = delete;
  ProxyWorld& operator=(const ProxyWorld&) = delete;

  [[nodiscard]] Peer connect(io::testing::PipeOptions pipe = {},
                             std::string_view from = "10.9.8.7");
  /// The newest connection to a backend, which must exist.
  [[nodiscard]] Peer& backend() { return *connector.connections.back(); }
  void pass(base::Duration time);
  /// As a worker takes a new configuration over.
  void reload(std::string_view configuration);
  [[nodiscard]] std::uint64_t count(observe::Counter counter) const {
    return counters.get(counter);
  }
  /// A log that the configuration names, as written so far. Names begin at "/prefix/".
  [[nodiscard]] std::string log(std::string_view name);

  void read(std::string_view configuration);

  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  config::MemoryFiles files;
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  tls::InProcessSigner signer;
  tls::Library tls{signer};
  NoResolvers resolvers;
  PipeConnector connector{loop};
  async::Scope background;
  async::Scope connections;
  std::atomic<std::uint64_t> connection_numbers{0};
  std::shared_ptr<const Snapshot> snapshot;
  proxy::Worker worker;
  base::Address listener;
};

}  // namespace snapshot::testing
