// needs: http_h2 io_testing
// A hostile HTTP/2 client: frames of any kind in any order, against handlers that read, answer,
// tunnel, wait and give up. Never a crash, never more handlers than streams allowed, and whatever
// was said, all ends once the client is gone.
//
// The input is a list of steps: a byte for what, then what it needs. Heads and frames are mostly
// sound, since noise alone would never get past the first.
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "async/scope.h"
#include "base/check.h"
#include "http/h2/server_connection.h"
#include "http/h2/server_stream.h"
#include "input.h"
#include "io/socket.h"
#include "io/testing/fake_clock.h"
#include "io/testing/pipe.h"

namespace {

using base::kNoDeadline;
using http::h2::ServerStream;

constexpr std::uint32_t kMaxStreams = 8;

std::string number(std::size_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t id,
                  std::string_view payload) {
  std::string text = number(payload.size(), 3);
  text += static_cast<char>(type);
  text += static_cast<char>(flags);
  return text.append(number(id, 4)).append(payload);
}

std::string field(std::string_view name, std::string_view value) {
  std::string text(1, '\0');
  text += static_cast<char>(name.size());
  text.append(name);
  text += static_cast<char>(value.size());
  return text.append(value);
}

std::string head(std::string_view method, std::string_view path) {
  return field(":method", method) + field(":scheme", "https") + field(":authority", "a.b") +
         field(":path", path);
}

class Handler final : public http::h2::ServerHandler {
 public:
  std::size_t running = 0;

  async::Task<void> serve(ServerStream& stream) override {
    ++running;
    CHECK(running <= kMaxStreams);
    const http::RequestHead& request = stream.head();
    if (stream.refusal() == http::Refusal::none) {
      CHECK(!request.host.empty() && !request.method_text.empty());
      for (const http::Field& each : request.fields) CHECK(each.id == http::intern(each.name));
      CHECK(request.fields.count(http::FieldName::cookie) <= 1);
    }
    const char way = request.raw_path.size() > 1 ? request.raw_path[1] : 'a';
    if (way == 'r' || way == 'e') co_await read(stream);
    if (way == 's') co_await sleep(stream);
    if (way == 't') {
      co_await tunnel(stream);
    } else if (way != 'n') {
      co_await answer(stream, way == 'l' ? 100'000 : 10);
    }
    if (way == 'x') stream.client().abort();
    --running;
  }
  void on_malformed(std::string_view rule) noexcept override { CHECK(!rule.empty()); }

 private:
  static async::Task<void> sleep(ServerStream& stream) {
    io::EventLoop& loop = stream.client().loop();
    static_cast<void>(co_await io::sleep_until(loop, loop.now() + std::chrono::seconds(3)));
  }
  static async::Task<void> read(ServerStream& stream) {
    std::uint64_t size = 0;
    while (true) {
      const auto piece =
          co_await stream.body().read(stream.client().loop().now() + std::chrono::seconds(30));
      if (!piece || piece->empty()) {
        if (piece && stream.head().body.kind == http::BodyFraming::Kind::length) {
          CHECK(size == stream.head().body.length);
        }
        co_return;
      }
      size += piece->size();
    }
  }
  static async::Task<void> answer(ServerStream& stream, std::size_t size) {
    const io::Patience patience(kNoDeadline, std::chrono::seconds(20));
    http::ResponseHead response(stream.arena());
    response.status = 200;
    response.body.kind = http::BodyFraming::Kind::chunked;
    const std::string body(size, 'b');
    http::Responder& to = stream.responder();
    if (!co_await to.send_head(response, body, http::End::no, patience)) co_return;
    if (!co_await to.send_body(body, http::End::no, patience)) co_return;
    http::Fields trailers(stream.arena());
    CHECK(trailers.add("x-sum", "1"));
    const auto sent = co_await to.finish(trailers, patience);
    CHECK(!sent || to.ended());
  }
  static async::Task<void> tunnel(ServerStream& stream) {
    http::ResponseHead response(stream.arena());
    response.status = 200;
    response.body.kind = http::BodyFraming::Kind::until_close;
    const io::Patience patience(kNoDeadline, std::chrono::seconds(20));
    if (!co_await stream.responder().send_head(response, {}, http::End::no, patience)) co_return;
    std::array<char, 4096> room{};
    while (true) {
      const auto count = co_await io::read(stream.client(), room, kNoDeadline);
      if (!count || *count == 0) break;
      std::array<iovec, 1> pieces{io::piece_of({room.data(), *count})};
      if (!co_await io::write_all(stream.client(), pieces, patience)) break;
    }
    stream.client().shutdown_write();
  }
};

struct World {
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  async::Scope scope;
  Handler handler;
  std::unique_ptr<io::Stream> stream;
  std::unique_ptr<io::Stream> peer;
  std::optional<http::h2::ServerConnection> connection;
  std::optional<http::h2::ConnectionEnd> end;

  explicit World(std::size_t slice) {
    auto [ours, theirs] = io::testing::make_pipe(loop, {.capacity = 20'000, .slice = slice});
    stream = std::move(ours);
    peer = std::move(theirs);
    http::h2::ServerOptions options;
    options.limits.max_streams = kMaxStreams;
    options.limits.memory = 100'000;
    connection.emplace(*stream, handler, options, counters);
    scope.spawn(run());
  }
  async::Task<void> run() { end = co_await connection->run(); }

  void say(std::string_view text) {
    while (!text.empty()) {
      const iovec piece = io::piece_of(text);
      const auto count = peer->try_write({&piece, 1});
      if (!count) return;
      text.remove_prefix(*count);
      loop.run_until_idle();
    }
  }
  void hear() {
    std::array<char, 8192> room{};
    while (peer->try_read(room).value_or(0) > 0) loop.run_until_idle();
  }
  void pass(int seconds) {
    clock.advance(std::chrono::seconds(seconds));
    loop.run_until_idle();
  }
};

void step(World& world, Input& input) {
  const std::uint8_t what = input.byte();
  const std::uint32_t id = input.byte();
  constexpr std::string_view kWays = "arestnlx";
  const std::string path = std::string("/") + kWays[id / 2 % kWays.size()];
  switch (what % 16) {
    case 0: return world.say(frame(1, 0x5, id, head("GET", path)));
    case 1: return world.say(frame(1, 0x4, id, head("POST", path)));
    case 2: {
      const std::string method = input.byte() % 2 == 0 ? "CONNECT" : "PUT";
      return world.say(frame(1, 0x4, id,
                             field(":method", method) + field(":protocol", "websocket") +
                                 field(":scheme", "https") + field(":authority", "a") +
                                 field(":path", "/t")));
    }
    case 3: {
      const std::string_view rest = input.text(input.byte());
      return world.say(frame(1, input.byte(), id, head("POST", path).append(rest)));
    }
    case 4: {
      const std::string length = std::to_string(input.byte());
      return world.say(frame(1, 0x4, id, head("POST", path) + field("content-length", length)));
    }
    case 5: return world.say(frame(0, input.byte(), id, input.text(input.byte())));
    case 6: return world.say(frame(0, 0, id, std::string(std::size_t{input.byte()} * 64, 'd')));
    case 7: return world.say(frame(0, 1, id, "end"));
    case 8: return world.say(frame(3, 0, id, number(input.byte(), 4)));
    case 9: return world.say(frame(8, 0, id, number(std::size_t{1} << (input.byte() % 32), 4)));
    case 10: {
      const std::uint8_t which = input.byte() % 10;
      return world.say(frame(4, 0, 0, number(which, 2) + number(input.byte() * 300U, 4)));
    }
    case 11: {
      const std::uint8_t type = input.byte();
      const std::uint8_t flags = input.byte();
      return world.say(frame(type, flags, id, input.text(input.byte())));
    }
    case 12: return world.say(input.text(id));
    case 13: return world.pass(static_cast<int>(id));
    case 14: return world.hear();
    default:
      if (id == 255) world.scope.request_drain();
      return world.say(frame(1, 0x5, id, field("x-trailer", "1")));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::uint8_t how = input.byte();
  World world((how & 1) != 0 ? 7 : 64 * 1024);
  if ((how & 2) == 0) world.say(std::string(http::h2::kPreface) + frame(4, 0, 0, ""));
  while (!input.empty() && !world.end) step(world, input);
  if ((how & 4) != 0) world.hear();
  world.peer.reset();
  for (int i = 0; i < 20 && !world.end; ++i) world.pass(4);
  CHECK(world.end.has_value());
  CHECK(world.handler.running == 0 && world.connection->open_streams() == 0);
  world.scope.request_stop();
  world.loop.run_until_idle();
  return 0;
}
