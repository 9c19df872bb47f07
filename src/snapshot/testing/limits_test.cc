// Limits and manners of connections, in whole exchanges: each directive by its effect.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "snapshot/testing/proxy_world.h"

namespace snapshot::testing {
namespace {

using namespace std::chrono_literals;
using observe::Counter;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kEmpty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kLong =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n";

std::string site(std::string_view server, std::string_view location = "return 200 ok;") {
  return "error_log /prefix/e.log info; http { server { listen 127.0.0.1:8000; " +
         std::string(server) + " location / { " + std::string(location) + " } } }";
}
std::string to_backend(std::string_view server, std::string_view location = "") {
  return site(server, "proxy_pass http://10.0.0.1:80; " + std::string(location));
}

// What a backend may send.

TEST(ProxyBufferSize, BoundsTheHeadOfAResponse) {
  ProxyWorld world(to_backend("", "proxy_buffer_size 1k;"));
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send("HTTP/1.1 200 OK\r\nX: " + std::string(900, 'x') +
                       "\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  client.send(kGet);
  world.backend().send("HTTP/1.1 200 OK\r\nX: " + std::string(1100, 'x') +
                       "\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 502"));
  EXPECT_EQ(world.count(Counter::limit_upstream_header_size), 1U);
  EXPECT_THAT(world.log("/prefix/e.log"),
              HasSubstr("limit (proxy_buffer_size) while reading response header from upstream"));
}

TEST(ProxyBufferSize, MayBeMoreThanTheDefault) {
  ProxyWorld world(to_backend("proxy_buffer_size 128k;"));
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') +
                       "\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
}

TEST(ProxyMaxHeaders, BoundsTheFieldsOfAResponse) {
  ProxyWorld world(to_backend("proxy_max_headers 3;"));
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 502"));
  EXPECT_EQ(world.count(Counter::limit_upstream_header_count), 1U);
  EXPECT_THAT(world.log("/prefix/e.log"), HasSubstr("limit (proxy_max_headers)"));
}

// Chunks, of both sides.

TEST(MaxChunkExtensions, BoundsThemInOneBody) {
  ProxyWorld world(to_backend("max_chunk_extensions 10;"));
  const std::string fine = "1;a=1234\r\nx\r\n0\r\n\r\n";
  const std::string bad = "1;a=123456789\r\nx\r\n0\r\n\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  Peer client = world.connect();
  client.send(post + fine);
  world.backend().send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + fine);
  EXPECT_TRUE(client.received().ends_with("0\r\n\r\n"));
  EXPECT_EQ(world.count(Counter::limit_chunk_extensions), 0U);
  client.send(post + bad);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 400"));
  EXPECT_EQ(world.count(Counter::limit_chunk_extensions), 1U);
  Peer other = world.connect();
  other.send(kGet);
  world.backend().send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + bad);
  EXPECT_THAT(other.received(), StartsWith("HTTP/1.1 502"));
  EXPECT_EQ(world.count(Counter::limit_chunk_extensions), 2U);
}

TEST(MaxTrailers, BoundsTheirNumberAndTheirBytes) {
  const std::string post =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n";
  for (const auto& [trailers, fits] : {std::pair<std::string, bool>{"A: 1\r\nB: 2\r\n", true},
                                       {"A: 1\r\nB: 2\r\nC: 3\r\n", false},
                                       {"A: " + std::string(100, 'x') + "\r\n", false}}) {
    ProxyWorld world(to_backend("max_trailers 2 64;"));
    Peer client = world.connect();
    client.send(post + trailers + "\r\n");
    EXPECT_EQ(world.count(Counter::limit_trailers), fits ? 0U : 1U) << trailers;
    EXPECT_EQ(client.received().starts_with("HTTP/1.1 431"), !fits) << trailers;
  }
}

// Bodies of requests.

TEST(ClientBodyBufferSize, SaysWhatGoesToAFile) {
  ProxyWorld world(to_backend("client_body_buffer_size 100;"));
  for (const std::size_t size : {100U, 101U}) {
    Peer client = world.connect();
    const std::string body(size, 'x');
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) +
                "\r\n\r\n" + body);
    EXPECT_TRUE(world.backend().received().ends_with("\r\n\r\n" + body));
    world.backend().send(kEmpty);
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(world.count(Counter::limit_body_buffer_size), size > 100 ? 1U : 0U);
  }
}

TEST(ClientMaxDiscardSize, BoundsWhatIsDroppedForAConnectionToServeOn) {
  const std::string post =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n" + std::string(10'000, 'x');
  ProxyWorld generous(site("client_max_discard_size 20k;"));
  Peer served = generous.connect();
  served.send(post + std::string(kGet));
  const std::string answers = served.received();
  EXPECT_THAT(answers, Not(HasSubstr("Connection: close")));
  EXPECT_NE(answers.find("HTTP/1.1 200"), answers.rfind("HTTP/1.1 200"));
  ProxyWorld strict(site("client_max_discard_size 0;"));
  Peer closed = strict.connect();
  closed.send(post);
  EXPECT_THAT(closed.received(), HasSubstr("Connection: close"));
  EXPECT_EQ(strict.count(Counter::limit_discard_size), 1U);
}

// Lingering.

TEST(LingeringClose, OffClosesAtOnce) {
  ProxyWorld world(site("lingering_close off; client_max_body_size 0;"));
  Peer client = world.connect();
  client.send(kLong);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(world.connections.running(), 0U);
}

TEST(LingeringClose, WaitsForTheClientNoLongerThanTheTimeout) {
  ProxyWorld world(site("lingering_timeout 2s; client_max_body_size 0;"));
  Peer client = world.connect();
  client.send(kLong);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  for (int i = 0; i < 5; ++i) {
    world.pass(1900ms);
    EXPECT_EQ(world.connections.running(), 1U) << i;
    client.send("more");
  }
  world.pass(2100ms);
  EXPECT_EQ(world.connections.running(), 0U);
  EXPECT_EQ(world.count(Counter::limit_lingering_time), 0U);
}

TEST(LingeringClose, EndsAfterItsTimeThoughTheClientGoesOn) {
  ProxyWorld world(site("lingering_time 10s; client_max_body_size 0;"));
  Peer client = world.connect({.capacity = 4 << 20});
  client.send(kLong);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  int seconds = 0;
  for (; world.connections.running() == 1 && seconds < 60; ++seconds) {
    client.send(std::string(600'000, 'x'));
    world.pass(1s);
  }
  EXPECT_GE(seconds, 10);
  EXPECT_LE(seconds, 11);
  EXPECT_EQ(world.count(Counter::limit_lingering_time), 1U);
}

TEST(LingeringClose, AlwaysWaitsThoughNothingMoreIsToCome) {
  const std::string last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  ProxyWorld on(site(""));
  Peer quick = on.connect();
  quick.send(last);
  EXPECT_EQ(on.connections.running(), 0U);
  ProxyWorld always(site("lingering_close always; lingering_timeout 3s;"));
  Peer waiting = always.connect();
  waiting.send(last);
  EXPECT_EQ(always.connections.running(), 1U);
  always.pass(2900ms);
  EXPECT_EQ(always.connections.running(), 1U);
  always.pass(200ms);
  EXPECT_EQ(always.connections.running(), 0U);
}

// Connections that are kept.

TEST(KeepaliveTime, EndsAConnectionWithTheRequestThatComesAfterIt) {
  ProxyWorld world(site("keepalive_time 10s;"));
  Peer client = world.connect();
  client.send(kGet);
  EXPECT_THAT(client.received(), Not(HasSubstr("Connection: close")));
  world.pass(11s);
  EXPECT_FALSE(client.is_over());
  client.send(kGet);
  EXPECT_THAT(client.received(), HasSubstr("Connection: close"));
  EXPECT_TRUE(client.is_over());
  EXPECT_EQ(world.count(Counter::limit_keepalive_age), 1U);
}

TEST(KeepaliveTimeout, IsThatOfTheLastRequestsLocation) {
  ProxyWorld world(
      site("keepalive_timeout 60s; location /short { keepalive_timeout 5s; return 200; }"));
  Peer client = world.connect();
  client.send("GET /short HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  world.pass(6s);
  EXPECT_TRUE(client.is_over());
  Peer other = world.connect();
  other.send(kGet);
  EXPECT_THAT(other.received(), StartsWith("HTTP/1.1 200"));
  world.pass(6s);
  EXPECT_FALSE(other.is_over());
}

TEST(KeepaliveMinTimeout, KeepsAnIdleConnectionThroughTheBeginningOfADrain) {
  ProxyWorld world(site("keepalive_min_timeout 5s;"));
  Peer client = world.connect();
  client.send(kGet);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  world.connections.request_drain();
  world.pass(4s);
  EXPECT_FALSE(client.is_over());
  client.send(kGet);
  EXPECT_THAT(client.received(), HasSubstr("Connection: close"));
  EXPECT_TRUE(client.is_over());
}

TEST(KeepaliveMinTimeout, IsNoLongerThanItSays) {
  ProxyWorld world(site("keepalive_min_timeout 5s;"));
  Peer client = world.connect();
  client.send(kGet);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  world.connections.request_drain();
  world.pass(6s);
  EXPECT_TRUE(client.is_over());
}

TEST(UpstreamKeepaliveTime, EndsABackendsConnectionWithTheRequestThatComesAfterIt) {
  ProxyWorld world(
      "http { upstream u { server 10.0.0.1:80; keepalive_time 10s; } server { listen "
      "127.0.0.1:8000; location / { proxy_pass http://u; } } }");
  Peer client = world.connect();
  const auto ask = [&] {
    client.send(kGet);
    world.backend().send(kEmpty);
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  };
  ask();
  world.pass(11s);
  ask();
  EXPECT_EQ(world.connector.connections.size(), 1U);
  ask();
  EXPECT_EQ(world.connector.connections.size(), 2U);
}

// Resets.

TEST(ResetTimedoutConnection, ResetsWhatTimedOutAndOf444) {
  const auto was_reset = [](const std::string& configuration, std::string_view request) {
    ProxyWorld world(configuration);
    Peer client = world.connect();
    client.send(request);
    world.pass(6s);
    return client.was_reset();
  };
  for (const bool on : {false, true}) {
    const std::string directives =
        std::string("client_header_timeout 5s; client_body_timeout 5s; keepalive_timeout 5s;") +
        (on ? "reset_timedout_connection on;" : "");
    EXPECT_EQ(was_reset(site(directives), "GET / HT"), on);
    EXPECT_FALSE(was_reset(to_backend(directives), kLong)) << "too large is no time-out";
    EXPECT_EQ(was_reset(to_backend(directives + "client_max_body_size 0;"), kLong), on);
    EXPECT_EQ(was_reset(site(directives, "return 444;"), kGet), on);
    EXPECT_FALSE(was_reset(site(directives), "")) << "no request, as in nginx";
  }
}

TEST(ResetTimedoutConnection, ClosesIdleConnectionsInOrder) {
  ProxyWorld world(site("reset_timedout_connection on; keepalive_timeout 5s;"));
  Peer client = world.connect();
  client.send(kGet);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  world.pass(6s);
  EXPECT_TRUE(client.is_over());
  EXPECT_FALSE(client.was_reset());
}

TEST(ResetTimedoutConnection, ResetsAClientThatDoesNotRead) {
  ProxyWorld world(to_backend("reset_timedout_connection on; send_timeout 5s;"));
  world.connector.pipe = {.capacity = 300'000};
  Peer client = world.connect({.capacity = 500});
  client.send(kGet);
  world.backend().send("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" +
                       std::string(200'000, 'x'));
  world.pass(6s);
  EXPECT_EQ(world.connections.running(), 0U);
  std::size_t got = 0;
  while (const std::size_t count = client.take(100)) got += count;
  EXPECT_LE(got, 500U);
  EXPECT_TRUE(client.was_reset());
}

}  // namespace
}  // namespace snapshot::testing
