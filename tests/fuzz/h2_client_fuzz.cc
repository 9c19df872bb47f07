// needs: http_h2 io_testing
// A hostile HTTP/2 backend: frames of any kind in any order and in any pieces, against requests
// that wait, upload, tunnel, give up and are repeated. Never a crash, never a head that breaks a
// rule or a body that has not the length that was said, and all ends once the backend is gone.
//
// The input is a list of steps: a byte for what, a byte for which stream, then what it needs. Most
// frames are sound, since noise alone would never get past the first.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>

#include "async/scope.h"
#include "base/check.h"
#include "http/find_control.h"
#include "http/h2/client_connection.h"
#include "http/h2/field_rules.h"
#include "http/h2/frames_test.h"
#include "input.h"
#include "io/testing/pipe_world.h"

namespace {

using base::kNoDeadline;
using http::h2::data;
using http::h2::frame;
using http::h2::FrameType;
using http::h2::headers;
using http::h2::kEnd;
using http::h2::kEndHeaders;
using http::h2::number;
using http::h2::Pairs;

constexpr std::uint32_t kMaxStreams = 8;
constexpr std::size_t kMaxHead = 2000;

void check_fields(const http::Fields& fields) {
  for (const http::Field& each : fields) {
    CHECK(each.id == http::intern(each.name));
    CHECK(!http::h2::is_connection_specific(each.id));
    CHECK(!each.name.empty() && !each.name.starts_with(':'));
    CHECK(http::find_control(each.value, 0) == each.value.size());
  }
}

struct World;

/// One request as the proxy makes it: the body is sent beside the reading of the answer.
class Asking {
 public:
  Asking(World& world, std::uint8_t way) noexcept : world_(world), way_(way) {}
  async::Task<void> run();
  async::Scope scope;

 private:
  async::Task<void> send(http::ClientExchange& exchange);
  async::Task<void> read(http::ClientExchange& exchange);
  async::Task<void> tunnel(http::ClientExchange& exchange);
  [[nodiscard]] bool is_tunnel() const noexcept { return way_ % 8 == 5; }
  [[nodiscard]] bool has_length() const noexcept { return way_ % 8 == 3; }
  [[nodiscard]] http::Method method() const noexcept {
    constexpr std::array kMethods{http::Method::get,  http::Method::head, http::Method::post,
                                  http::Method::post, http::Method::post, http::Method::connect};
    return kMethods[way_ % 8 % kMethods.size()];
  }
  [[nodiscard]] http::OutgoingRequest request();

  World& world_;
  base::Arena arena_;
  std::uint8_t way_;
  std::string piece_ = std::string(3000, 'u');
};

struct World final : io::testing::PipeWorld, http::h2::ClientConnection::Owner {
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  http::h2::SharedBudget budget{.limit = 150'000};
  std::array<std::unique_ptr<Asking>, kMaxStreams> askings;
  std::unique_ptr<http::h2::ClientConnection> connection;
  bool ended = false;

  explicit World(std::size_t slice) : PipeWorld({.capacity = 20'000, .slice = slice}) {
    http::h2::ClientOptions options;
    options.limits.max_streams = kMaxStreams;
    options.limits.memory = 100'000;
    options.ping_interval = std::chrono::seconds(20);
    options.budget = &budget;
    connection =
        std::make_unique<http::h2::ClientConnection>(std::move(stream), options, counters, *this);
    scope.spawn(live());
    loop.run_until_idle();
  }
  ~World() { stop(); }
  void on_change() noexcept override {}
  async::Task<void> live() {
    co_await connection->run();
    ended = true;
  }
  void ask(std::uint8_t slot, std::uint8_t way) {
    auto& place = askings[slot % askings.size()];
    if (place != nullptr && place->scope.running() > 0) return;
    if (way < 200 && !connection->takes_requests()) return;
    place = std::make_unique<Asking>(*this, way);
    place->scope.spawn(place->run());
    loop.run_until_idle();
  }
  void give_up(std::uint8_t slot) {
    const auto& place = askings[slot % askings.size()];
    if (place != nullptr) place->scope.request_stop();
    loop.run_until_idle();
  }
  void hear() { static_cast<void>(heard_bytes()); }
  [[nodiscard]] base::Deadline soon() const { return loop.now() + std::chrono::seconds(60); }
  [[nodiscard]] io::Patience patience() const {
    return io::Patience(kNoDeadline, std::chrono::seconds(20));
  }
};

http::OutgoingRequest Asking::request() {
  http::OutgoingRequest made(arena_);
  made.method = http::text_of(method());
  made.target = "/a";
  made.scheme = "http";
  if (is_tunnel()) made.protocol = "websocket";
  CHECK(made.fields.add(http::FieldName::host, "b.test"));
  if (method() == http::Method::post) {
    made.body = {.kind = http::BodyFraming::Kind::chunked};
    if (has_length()) {
      made.body = {.kind = http::BodyFraming::Kind::length, .length = 2 * piece_.size()};
    }
  }
  return made;
}

async::Task<void> Asking::run() {
  auto exchange = world_.connection->open(
      method(), arena_,
      {.max_total = kMaxHead, .max_fields = 20, .max_trailer_bytes = 500, .max_trailer_fields = 5});
  async::Scope inner(&scope);
  const http::OutgoingRequest wanted = request();
  const bool only_head = method() != http::Method::post && !is_tunnel();
  const auto sent = co_await exchange->send_head(
      wanted, {}, only_head ? http::End::yes : http::End::no, world_.soon());
  if (sent && !only_head && !is_tunnel()) inner.spawn(send(*exchange));
  if (sent || exchange->answered()) co_await async::within(inner, read(*exchange));
  inner.request_stop();
  co_await inner.join();
  static_cast<void>(exchange->refusal());
  static_cast<void>(exchange->clean());
  exchange.reset();
}

async::Task<void> Asking::send(http::ClientExchange& exchange) {
  if (!co_await exchange.send_body(piece_, http::End::no, world_.patience())) co_return;
  if (has_length()) {
    static_cast<void>(co_await exchange.send_body(piece_, http::End::yes, world_.patience()));
    co_return;
  }
  http::Fields trailers(arena_);
  if (way_ >= 128) CHECK(trailers.add("x-sum", "1"));
  static_cast<void>(co_await exchange.finish_body(trailers, world_.patience()));
}

async::Task<void> Asking::read(http::ClientExchange& exchange) {
  http::ResponseHead head(arena_);
  std::size_t interim = 0;
  do {
    if (!co_await exchange.read_head(head, world_.soon())) co_return;
    CHECK(head.status >= 100 && head.status <= 599 && head.status != 101);
    check_fields(head.fields);
    CHECK(head.fields.count(http::FieldName::content_length) <= 1);
    CHECK(++interim < 10 * kMaxHead);
  } while (head.is_interim());
  if (is_tunnel() && head.status == 200) co_return co_await tunnel(exchange);
  const http::BodyFraming framing = head.body;
  if (method() == http::Method::head) CHECK(!framing.has_body());
  http::ReceivedBody& body = exchange.open_body(head);
  std::uint64_t size = 0;
  while (true) {
    const auto piece = co_await body.read(world_.soon());
    if (!piece) co_return;
    if (piece->empty()) break;
    size += piece->size();
    if (way_ % 16 == 9 && size > 100) co_return;  // given up in the middle
  }
  CHECK(body.ended() && size == body.delivered());
  if (framing.kind == http::BodyFraming::Kind::length) CHECK(size == framing.length);
  if (!framing.has_body()) CHECK(size == 0);
  check_fields(body.trailers());
}

async::Task<void> Asking::tunnel(http::ClientExchange& exchange) {
  std::array<char, 4096> room{};
  while (true) {
    const auto count = co_await io::read(exchange.stream(), room, world_.soon());
    if (!count || *count == 0) break;
    std::array<iovec, 1> pieces{io::piece_of({room.data(), *count})};
    if (!co_await io::write_all(exchange.stream(), pieces, world_.patience())) break;
  }
  exchange.stream().shutdown_write();
}

Pairs answer(Input& input) {
  constexpr std::array<std::string_view, 8> kStatus = {"200", "200", "204", "304",
                                                       "103", "100", "101", "999"};
  Pairs fields{{":status", std::string(input.pick(kStatus))}};
  constexpr std::array<std::string_view, 16> kNames = {
      "x",       "content-length", "set-cookie",        "content_length", "te", "connection",
      ":status", ":path",          "transfer-encoding", "X-Upper",        "",   "trailer",
      "link",    "server",         "upgrade",           "content-type"};
  for (unsigned count = input.byte() % 4; count > 0; --count) {
    const std::string name(input.pick(kNames));
    const std::uint8_t size = input.byte();
    fields.emplace_back(
        name, name == "content-length" ? std::to_string(size) : std::string(input.text(size % 32)));
  }
  return fields;
}

void step(World& world, Input& input) {
  const std::uint8_t what = input.byte();
  const std::uint8_t id = input.byte();
  switch (what % 20) {
    case 0: return world.ask(id, input.byte());
    case 1: return world.give_up(id);
    case 2: return world.say(headers(id, {{":status", "200"}}, 0));
    case 3: return world.say(headers(id, {{":status", "200"}}, kEnd));
    case 4: return world.say(headers(id, {{":status", "103"}}, 0));
    case 5: {
      const int flags = input.byte() % 2;
      return world.say(headers(id, answer(input), flags));
    }
    case 6: {
      const std::string length = std::to_string(input.byte());
      return world.say(headers(id, {{":status", "200"}, {"content-length", length}}, 0));
    }
    case 7: return world.say(headers(id, {{"x-trailer", std::string(input.text(input.byte()))}}));
    case 8: return world.say(data(id, input.text(input.byte()), input.byte()));
    case 9: return world.say(data(id, std::string(std::size_t{input.byte()} * 64, 'd')));
    case 10: return world.say(data(id, "", kEnd));
    case 11: return world.say(http::h2::reset(id, input.byte() % 14));
    case 12: return world.say(http::h2::window(id, std::uint32_t{1} << (input.byte() % 32)));
    case 13: {
      const std::uint8_t which = input.byte() % 10;
      return world.say(http::h2::setting(which, input.byte() * 300U));
    }
    case 14:
      return world.say(frame(FrameType::goaway, 0, 0, number(id, 4) + number(input.byte(), 4)));
    case 15: {
      const auto type = static_cast<FrameType>(input.byte());
      const std::uint8_t flags = input.byte();
      return world.say(frame(type, flags, id, input.text(input.byte())));
    }
    case 16: return world.say(input.text(id));
    case 17: world.pass(std::chrono::seconds(id)); return;
    case 18: return world.hear();
    default: {
      if (id == 255) return world.connection->drain();
      const std::string rest = http::h2::block({{":status", "200"}, {"x", "y"}});
      const std::size_t cut = input.byte() % rest.size();
      world.say(frame(FrameType::headers, input.byte() % 2, id, rest.substr(0, cut)));
      return world.say(frame(FrameType::continuation, kEndHeaders, id, rest.substr(cut)));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  Input input(bytes, size);
  const std::uint8_t how = input.byte();
  World world((how & 1) != 0 ? 7 : 64 * 1024);
  if ((how & 2) == 0) world.say(frame(FrameType::settings, 0, 0, ""));
  while (!input.empty() && !world.ended) step(world, input);
  CHECK(world.connection->open_requests() <= world.askings.size());
  if ((how & 4) != 0) world.hear();
  if ((how & 8) != 0) {
    world.connection->drain();
  } else {
    world.peer.reset();
  }
  for (int i = 0; i < 20 && world.connection->open_requests() > 0; ++i) {
    world.pass(std::chrono::seconds(30));
  }
  CHECK(world.connection->open_requests() == 0);
  world.peer.reset();
  world.pass(std::chrono::seconds(1));
  CHECK(world.ended && world.budget.used == 0);
  return 0;
}
