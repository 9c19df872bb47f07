// CPU of handshakes and of records, both ends in one thread over the test pipe: the figures contain
// the client's part too. Compare them with each other and with `openssl speed`, not with a
// server's.
#include <benchmark/benchmark.h>

#include "tls/testing/world.h"

namespace tls {
namespace {

using testing::World;

struct Bench {
  explicit Bench(KeyType type, Version version = Version::tls1_3) {
    context = world.server_context();
    world.source.servers[""] = {.context = context.get(),
                                .certificates = {world.add(testing::issue({.key_type = type}))}};
    client = world.client_context({.versions = {version}});
  }
  std::unique_ptr<testing::Pair> connect(std::string session_key = {}) {
    auto pair = world.connect(*context, *client,
                              {.sni = "example.com", .session_key = std::move(session_key)},
                              {.capacity = 1024 * 1024, .slice = 1024 * 1024});
    async::Scope scope;
    scope.spawn(World::shake(*pair->server, &pair->server_result));
    scope.spawn(World::shake(*pair->client, &pair->client_result));
    while (scope.running() > 0) {
      const async::Executor::Use use(world.loop.executor());
      world.loop.turn({});
    }
    return pair;
  }

  World world;
  std::unique_ptr<ServerContext> context;
  std::unique_ptr<ClientContext> client;
};

void full_handshake(benchmark::State& state) {
  Bench bench(static_cast<KeyType>(state.range(0)), static_cast<Version>(state.range(1)));
  for (auto _ : state) {
    const auto pair = bench.connect();
    if (!pair->server_result || !pair->client_result) state.SkipWithError("handshake failed");
  }
}
BENCHMARK(full_handshake)
    ->ArgNames({"rsa0_ec1_ed2", "version"})
    ->ArgsProduct({{0, 1, 2}, {2, 3}})
    ->Unit(benchmark::kMicrosecond);

void resumed_handshake(benchmark::State& state) {
  Bench bench(KeyType::ec, static_cast<Version>(state.range(0)));
  std::array<char, 16> room{};
  for (auto _ : state) {
    const auto pair = bench.connect("endpoint");
    [[maybe_unused]] const auto ticket = pair->client->try_read(room);
  }
}
BENCHMARK(resumed_handshake)->ArgName("version")->Arg(2)->Arg(3)->Unit(benchmark::kMicrosecond);

void exchange(benchmark::State& state) {
  Bench bench(KeyType::ec);
  const auto pair = bench.connect();
  const std::string head(200, 'h');
  const std::string body(static_cast<std::size_t>(state.range(0)), 'b');
  std::vector<char> room(128 * 1024);
  for (auto _ : state) {
    const std::array pieces{io::piece_of(head), io::piece_of(body)};
    std::size_t sent = pair->server->try_write(pieces).value_or(0);
    while (sent > 0) sent -= std::min(sent, pair->client->try_read(room).value_or(sent));
  }
  state.SetBytesProcessed(state.iterations() * (state.range(0) + 200));
}
BENCHMARK(exchange)->Arg(1024)->Arg(16 * 1024)->Arg(60 * 1024);

}  // namespace
}  // namespace tls
