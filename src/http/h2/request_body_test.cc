// What a client sends behind a head: bodies and trailers, windows, resets.
#include <gtest/gtest.h>

#include "http/h2/server_test.h"
#include "io/socket.h"

namespace http::h2 {
namespace {

using base::ErrorCode;
using base::kNoDeadline;
using observe::Counter;
using std::chrono::seconds;

// Reads all and tells it; "!" where it failed.
async::Task<void> read_all(ServerWorld& world, ServerStream& stream) {
  Body& body = stream.body();
  world.log = body.length() ? std::to_string(*body.length()) : "?";
  while (true) {
    const auto piece = co_await body.read(stream.client().loop().now() + seconds(10));
    if (!piece) {
      world.error = piece.error();
      world.log += " !";
      break;
    }
    if (piece->empty()) {
      EXPECT_TRUE(body.ended());
      break;
    }
    world.log.append(" ").append(*piece);
  }
  for (const Field& field : body.trailers()) {
    world.log.append(" ").append(field.name).append("=").append(field.value);
  }
  co_await ServerWorld::answer_ok(world, stream);
}

std::string log_of(std::string_view frames) {
  ServerWorld world(read_all);
  world.begin(frames);
  return world.log;
}

constexpr std::string_view kOk = "HEADERS 1 :status=200 content-length=2\nDATA 1 END ok\n";

TEST(RequestBody, ComesInPieces) {
  EXPECT_EQ(log_of(headers(1, post(), 0) + data(1, "ab") + data(1, "cd", kEnd)), "? abcd");
  ServerWorld world(read_all);
  world.begin(headers(1, post({{"content-length", "4"}}), 0));
  world.say(data(1, "ab"));
  EXPECT_EQ(world.log, "4 ab");
  world.say(data(1, "cd"));
  EXPECT_EQ(world.log, "4 ab cd");
  EXPECT_EQ(world.heard(), "");
  world.say(data(1, "", kEnd));
  EXPECT_EQ(world.heard(), kOk);
}

TEST(RequestBody, IsNoneWhenTheRequestEndsWithItsHead) {
  EXPECT_EQ(log_of(headers(1, get())), "0");
  EXPECT_EQ(log_of(headers(1, post({{"content-length", "0"}}))), "0");
  EXPECT_EQ(log_of(headers(1, post({{"content-length", "0"}}), 0)), "0");
}

TEST(RequestBody, MayBePadded) {
  const std::string padded = std::string(1, 3) + "ab" + std::string(3, '\0');
  EXPECT_EQ(log_of(headers(1, post(), 0) + frame(FrameType::data, kEnd | 8, 1, padded)), "? ab");
}

TEST(RequestBody, MayHaveTrailers) {
  EXPECT_EQ(log_of(headers(1, post(), 0) + data(1, "ab") +
                   headers(1, {{"x-sum", "1"}, {"etag", "e"}, {"authorization", "no"}})),
            "? ab x-sum=1 ETag=e");
}

TEST(RequestBody, MalformedTrailersResetTheStream) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"pseudo_header_in_trailer", headers(1, {{":path", "/"}})},
      {"trailer_forbidden", headers(1, {{"content-length", "2"}})},
      {"trailer_forbidden", headers(1, {{"host", "a"}})},
      {"connection_field", headers(1, {{"connection", "close"}})},
      {"field_name", headers(1, {{"A", "b"}})},
      {"trailer_too_large", headers(1, {{"a", std::string(5000, 'x')}})},
      {"trailers_without_end", headers(1, {{"a", "b"}}, 0)},
  };
  for (const auto& [rule, trailers] : cases) {
    ServerWorld world(read_all);
    world.begin(headers(1, post(), 0) + data(1, "ab"));
    world.say(trailers);
    ASSERT_EQ(world.malformed.size(), 1U) << rule;
    EXPECT_EQ(world.malformed[0], rule);
    EXPECT_EQ(world.heard(), "RST_STREAM 1 1\n") << rule;
    EXPECT_NE(world.log.find(" !"), std::string::npos) << rule;
    EXPECT_EQ(world.count(Counter::h2_malformed), 1U) << rule;
  }
}

TEST(RequestBody, MustMatchItsContentLength) {
  for (const std::string& body : {data(1, "abcde", kEnd), data(1, "abc", kEnd), data(1, "abcde")}) {
    ServerWorld world(read_all);
    world.begin(headers(1, post({{"content-length", "4"}}), 0));
    world.say(body);
    EXPECT_EQ(world.heard(), "RST_STREAM 1 1\n");
    EXPECT_EQ(world.error.code, ErrorCode::protocol);
  }
  ServerWorld none(read_all);
  none.begin(headers(1, post({{"content-length", "0"}}), 0) + data(1, "x", kEnd));
  EXPECT_NE(none.heard().find("RST_STREAM 1 1\n"), std::string::npos);
}

TEST(RequestBody, IsAwaitedNoLongerThanItsReaderWants) {
  ServerWorld world(read_all);
  world.begin(headers(1, post(), 0));
  world.pass(seconds(11));
  EXPECT_EQ(world.error.code, ErrorCode::timed_out);
  EXPECT_EQ(world.heard(), std::string(kOk) + "RST_STREAM 1 0\n");
}

/// False: stopped.
async::Task<bool> sleep_a_second(ServerStream& stream) {
  io::EventLoop& loop = stream.client().loop();
  co_return static_cast<bool>(co_await io::sleep_until(loop, loop.now() + seconds(1)));
}

// Begins to read when the test says so.
async::Task<void> read_late(ServerWorld& world, ServerStream& stream) {
  while (world.log != "read" && co_await sleep_a_second(stream)) {
  }
  co_await read_all(world, stream);
}

TEST(RequestBody, TheWindowIsGivenBackAsItIsRead) {
  ServerWorld world(read_late);
  world.options.limits.stream_window = 100'000;
  world.begin(headers(1, post(), 0));
  for (int i = 0; i < 10; ++i) world.say(data(1, std::string(10'000, 'x')));
  EXPECT_EQ(world.heard(), "");  // nobody reads: no window
  world.log = "read";
  world.pass(seconds(2));
  EXPECT_EQ(world.heard().substr(0, 23), "WINDOW_UPDATE 1 100000\n");
  world.say(data(1, "", kEnd));
  EXPECT_EQ(world.log.size(), 2U + 100'000);
  EXPECT_NE(world.heard().find(kOk), std::string::npos);
}

TEST(RequestBody, MoreThanTheWindowIsAnError) {
  ServerWorld world(read_late);
  world.options.limits.stream_window = 65'535;
  world.begin(headers(1, post(), 0));
  for (int i = 0; i < 7; ++i) world.say(data(1, std::string(10'000, 'x')));
  EXPECT_TRUE(world.heard().ends_with(" 3\n"));  // FLOW_CONTROL_ERROR, of the stream or all
}

TEST(RequestBody, TheConnectionsWindowIsGivenBackForWhatNobodyReads) {
  ServerWorld world;  // answers without reading
  world.options.limits.connection_window = 100'000;
  world.begin();
  for (int i = 0; i < 40; ++i) {
    world.say(headers(1 + 2 * i, post(), 0) + data(1 + 2 * i, std::string(10'000, 'x')));
  }
  const std::string heard = world.heard();
  EXPECT_EQ(heard.find("GOAWAY"), std::string::npos);
  EXPECT_NE(heard.find("WINDOW_UPDATE 0"), std::string::npos);
  EXPECT_FALSE(world.end);
  EXPECT_EQ(world.served, 40);
}

TEST(RequestBody, TheClientsResetEndsARead) {
  ServerWorld world(read_all);
  world.begin(headers(1, post(), 0) + data(1, "ab"));
  world.say(reset(1));
  EXPECT_EQ(world.log, "? ab !");
  EXPECT_EQ(world.error.code, ErrorCode::reset);
  EXPECT_EQ(world.heard(), "");
  EXPECT_EQ(world.connection->open_streams(), 0U);
}

class Watch final : public io::Waiter {
 public:
  explicit Watch(io::Stream& client) noexcept : client_(client) {
    client.set_waiter(io::Direction::read, this);
  }
  ~Watch() { client_.set_waiter(io::Direction::read, nullptr); }
  void on_ready() noexcept override { closed = closed || client_.peer_closed(); }
  bool closed = false;

 private:
  io::Stream& client_;
};

TEST(RequestBody, WhoeverWatchesTheClientHearsOfItsReset) {
  ServerWorld world([](ServerWorld& w, ServerStream& stream) -> async::Task<void> {
    Watch watch(stream.client());
    EXPECT_FALSE(stream.client().peer_closed());  // that the request has ended is no matter
    while (!watch.closed && co_await sleep_a_second(stream)) {
    }
    if (watch.closed) w.log = "closed";
  });
  world.begin(headers(1, get()));
  world.pass(seconds(2));
  EXPECT_EQ(world.log, "");
  world.say(reset(1));
  world.pass(seconds(2));
  EXPECT_EQ(world.log, "closed");
}

TEST(RequestBody, WhatIsResetInTheSameBreathIsNotServed) {
  ServerWorld world;
  world.begin(headers(1, get()) + reset(1) + headers(3, get()));
  EXPECT_EQ(world.heard(), "HEADERS 3 :status=200 content-length=2\nDATA 3 END ok\n");
  EXPECT_EQ(world.served, 1);
}

// --- tunnels ---

Pairs connect() { return {{":method", "CONNECT"}, {":authority", "example.com:443"}}; }

async::Task<void> echo(ServerWorld& world, ServerStream& stream) {
  ResponseHead head(stream.arena());
  head.status = 200;
  head.body.kind = BodyFraming::Kind::until_close;
  if (!co_await stream.responder().send_head(head, {}, End::no, kNoDeadline)) co_return;
  io::Stream& client = stream.client();
  std::array<char, 100'000> room{};
  while (true) {
    const auto count = co_await io::read(client, room, kNoDeadline);
    if (!count) {
      world.error = count.error();
      co_return;
    }
    if (*count == 0) break;
    std::array<iovec, 1> pieces{io::piece_of({room.data(), *count})};
    const auto written =
        co_await io::write_all(client, pieces, io::Patience(kNoDeadline, seconds(10)));
    if (!written) {
      world.error = written.error();
      co_return;
    }
  }
  client.shutdown_write();
  world.log = "ended";
}

TEST(Tunnel, CarriesBytesBothWaysAndEndsInHalves) {
  ServerWorld world(echo);
  world.begin(headers(1, connect(), 0));
  EXPECT_EQ(world.heard(), "HEADERS 1 :status=200\n");
  world.say(data(1, "abc"));
  EXPECT_EQ(world.heard(), "DATA 1 abc\n");
  world.say(data(1, "d") + data(1, "e", kEnd));
  EXPECT_EQ(world.heard(), "DATA 1 de\nDATA 1 END\n");
  EXPECT_EQ(world.log, "ended");
  EXPECT_EQ(world.connection->open_streams(), 0U);
}

TEST(Tunnel, WaitsForTheClientsWindow) {
  ServerWorld world(echo);
  world.begin(setting(4, 5) + headers(1, connect(), 0));
  static_cast<void>(world.heard());
  world.say(data(1, "abcdefgh"));
  EXPECT_EQ(world.heard(), "DATA 1 abcde\n");
  world.say(window(1, 1));
  EXPECT_EQ(world.heard(), "DATA 1 f\n");
  world.say(window(1, 100));
  EXPECT_EQ(world.heard(), "DATA 1 gh\n");
  world.say(data(1, "i", kEnd));
  EXPECT_EQ(world.heard(), "DATA 1 i\nDATA 1 END\n");
}

TEST(Tunnel, IsResetByWhoeverGivesUp) {
  ServerWorld world(echo);
  world.begin(setting(4, 0) + headers(1, connect(), 0));
  static_cast<void>(world.heard());
  world.say(data(1, "abc"));
  world.pass(seconds(11));
  EXPECT_EQ(world.error.code, ErrorCode::timed_out);
  EXPECT_EQ(world.heard(), "RST_STREAM 1 2\n");
  world.say(headers(3, connect(), 0));
  static_cast<void>(world.heard());
  world.say(reset(3));
  EXPECT_EQ(world.error.code, ErrorCode::reset);
}

// The client's TCP takes nothing while our side ends, and nothing more is wanted of the client's.
async::Task<void> say_goodbye(ServerWorld& world, ServerStream& stream) {
  ResponseHead head(stream.arena());
  head.status = 200;
  if (!co_await stream.responder().send_head(head, {}, End::no, kNoDeadline)) co_return;
  const std::string goodbye(200, '!');
  std::array<iovec, 1> pieces{io::piece_of(goodbye)};
  if (!co_await io::write_all(stream.client(), pieces, kNoDeadline)) co_return;
  co_await io::NextTurn(world.loop);
  stream.client().shutdown_write();
  world.log = stream.client().may_be_ready(io::Direction::write) ? "sent" : "not sent";
}

TEST(Tunnel, ItsEndIsNotOvertakenByAReset) {
  ServerWorld world(say_goodbye, {.capacity = 120});
  world.begin();
  world.say(headers(1, connect(), 0));
  EXPECT_EQ(world.log, "not sent");
  EXPECT_EQ(world.heard(), "HEADERS 1 :status=200\nDATA 1 " + std::string(200, '!') +
                               "\nDATA 1 END\nRST_STREAM 1 0\n");
  EXPECT_EQ(world.connection->open_streams(), 0U);
}

TEST(Tunnel, MovesMuchInBothDirections) {
  ServerWorld world(echo);
  world.begin(setting(4, 1 << 20) + window(0, 1 << 20) + headers(1, connect(), 0));
  std::string sent;
  std::string received;
  for (int i = 0; i < 100; ++i) {
    const std::string piece(9000, static_cast<char>('a' + i % 26));
    sent += piece;
    world.say(data(1, piece));
    for (const HeardFrame& heard : world.heard_frames()) {
      if (heard.type == FrameType::data) received += heard.payload;
    }
  }
  EXPECT_EQ(received, sent);
  EXPECT_FALSE(world.end);
}

}  // namespace
}  // namespace http::h2
