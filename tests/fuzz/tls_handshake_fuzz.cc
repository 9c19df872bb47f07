// needs: tls tls_testing io_testing
// A hostile peer: the input is what it sends, in slices, to a server (first byte even) or to a
// client. Whatever it is, the handshake ends in an error or waits for more.
#include <cstdint>
#include <span>

#include "tls/testing/world.h"

namespace {

struct Target {
  Target() {
    world.source.servers["example.com"] = {.context = server.get(),
                                           .certificates = {world.add(tls::testing::issue())}};
  }
  tls::testing::World world;
  std::unique_ptr<tls::ServerContext> server =
      world.server_context({.alpn = {"h2", "http/1.1"}, .client_hello = true});
  std::unique_ptr<tls::ClientContext> client = world.client_context({.alpn = {"http/1.1"}});
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Target* const target = new Target;  // OpenSSL's objects outlive main()'s statics
  if (size < 2) return 0;
  tls::testing::World& world = target->world;
  const std::span input(reinterpret_cast<const char*>(data), size);
  auto [near, far] = io::testing::make_pipe(world.loop, {.slice = std::size_t{1} + data[1] * 16U});
  const auto stream = data[0] % 2 == 0
                          ? tls::TlsStream::server(std::move(near), *target->server, world.source)
                          : tls::TlsStream::client(std::move(near), *target->client,
                                                   {.sni = "example.com", .session_key = "e"});
  base::Result<void> result;
  async::Scope scope;
  scope.spawn(tls::testing::World::shake(*stream, &result));
  auto rest = input.subspan(2);
  while (!rest.empty()) {
    const iovec piece = io::piece_of(std::string_view(rest.data(), rest.size()));
    const auto sent = far->try_write(std::span(&piece, 1));
    if (!sent) break;
    rest = rest.subspan(*sent);
  }
  far->shutdown_write();
  world.loop.run_until_idle();
  scope.request_stop();
  world.loop.run_until_idle();
  CHECK(scope.running() == 0);
  std::array<char, 4096> room{};
  if (result) {
    while (stream->try_read(room).value_or(0) > 0) {
    }
  }
  return 0;
}
