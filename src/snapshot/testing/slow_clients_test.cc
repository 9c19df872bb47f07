// Clients that are slow on purpose, in whole exchanges: what ends them, and what must not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "snapshot/testing/proxy_world.h"

namespace snapshot::testing {
namespace {

using namespace std::chrono_literals;
using observe::Counter;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string with_location(std::string_view location, std::string_view main = "") {
  return std::string(main) +
         "http { server { listen 127.0.0.1:8000; location / { proxy_pass http://10.0.0.1:80; " +
         std::string(location) + " } } }";
}

/// Seconds until the connection is gone, with `bytes` sent in each.
int drip(ProxyWorld& world, Peer& client, std::string_view bytes, int at_most) {
  for (int second = 0; second < at_most; ++second) {
    client.send(bytes);
    world.pass(1s);
    if (world.count(Counter::requests_active) == 0) return second;
  }
  return at_most;
}

constexpr std::string_view kPost = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";

TEST(SlowBodies, ThatDripAreARequestTimeoutThoughNoPauseIsLong) {
  for (const char* buffering : {"on", "off"}) {
    ProxyWorld world(with_location(
        std::string("client_body_timeout 10s; proxy_request_buffering ") + buffering + ";"));
    Peer client = world.connect();
    client.send(kPost);
    const int seconds = drip(world, client, "x", 60);
    EXPECT_GE(seconds, 9) << buffering;
    EXPECT_LE(seconds, 12) << buffering;
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 408")) << buffering;
    EXPECT_EQ(world.count(Counter::limit_body_rate), 1U);
    EXPECT_EQ(world.count(Counter::limit_body_time), 0U);
  }
}

TEST(SlowBodies, MayPauseOnceThatTheyKeepTheRate) {
  ProxyWorld world(with_location("client_body_timeout 10s; client_body_min_rate 500;"));
  Peer client = world.connect();
  client.send(kPost);
  for (int i = 0; i < 20; ++i) {
    client.send(std::string(4500, 'x'));
    world.pass(9s);
  }
  client.send(std::string(10'000, 'x'));
  EXPECT_TRUE(world.backend().received().ends_with("xxx"));
  EXPECT_EQ(world.count(Counter::limit_body_rate), 0U);
}

TEST(SlowBodies, AreLeftAloneWhereTheRateIsZeroAndUnderCompatNginx) {
  for (const std::string& configuration :
       {with_location("client_body_timeout 10s; client_body_min_rate 0;"),
        with_location("client_body_timeout 10s;", "compat nginx; ")}) {
    ProxyWorld world(configuration);
    Peer client = world.connect();
    client.send(kPost);
    EXPECT_EQ(drip(world, client, "x", 300), 300);
  }
}

TEST(SlowBodies, AreNotBlamedForABackendThatTakesNothing) {
  ProxyWorld world(
      with_location("client_body_timeout 10s; proxy_request_buffering off; proxy_send_timeout 1h;"
                    "proxy_read_timeout 1h;"));
  world.connector.pipe = {.capacity = 1000};
  Peer client = world.connect({.capacity = 200'000});
  client.send(kPost);
  client.send(std::string(100'000, 'x'));
  for (int i = 0; i < 10; ++i) world.pass(60s);
  EXPECT_EQ(world.count(Counter::requests_active), 1U);
  EXPECT_TRUE(world.backend().received().ends_with("xxx"));
  EXPECT_EQ(world.count(Counter::limit_body_rate), 0U);
}

/// A large answer, taken at `per_second`: seconds until it ended or the client was let go.
int sip(ProxyWorld& world, Peer& client, std::size_t size, std::size_t per_second, int at_most) {
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  world.backend().send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
                       std::string(size, 'x'));
  for (int second = 0; second < at_most; ++second) {
    client.take(per_second);
    world.pass(1s);
    if (world.count(Counter::requests_active) == 0) return second;
  }
  return at_most;
}

TEST(SlowReaders, ThatSipAreLetGoThoughNoPauseIsLong) {
  ProxyWorld world(with_location("send_timeout 10s;"));
  world.connector.pipe = {.capacity = 300'000};
  Peer client = world.connect({.capacity = 500});
  const int seconds = sip(world, client, 200'000, 10, 400);
  // Credit for ten seconds, and for the piece that is on its way (up to 64 KB at 500 B/s).
  EXPECT_GE(seconds, 10);
  EXPECT_LE(seconds, 10 + 132);
  EXPECT_EQ(world.count(Counter::limit_send_rate), 1U);
  EXPECT_EQ(world.count(Counter::limit_send_time), 0U);
}

TEST(SlowReaders, ThatKeepTheRateGetEverythingHoweverLongItTakes) {
  ProxyWorld world(with_location("send_timeout 10s;"));
  world.connector.pipe = {.capacity = 300'000};
  Peer client = world.connect({.capacity = 500});
  const int seconds = sip(world, client, 200'000, 500, 500);
  EXPECT_GE(seconds, 390);
  EXPECT_LE(seconds, 405);
  EXPECT_EQ(world.count(Counter::limit_send_rate), 0U);
  EXPECT_EQ(world.count(Counter::limit_send_time), 0U);
}

TEST(SlowReaders, ThatTakeNothingAreStoppedByTheTimeBetweenTwoWrites) {
  ProxyWorld world(with_location("send_timeout 10s;"));
  world.connector.pipe = {.capacity = 300'000};
  Peer client = world.connect({.capacity = 500});
  EXPECT_LE(sip(world, client, 200'000, 0, 100), 11);
  EXPECT_EQ(world.count(Counter::limit_send_time), 1U);
  EXPECT_EQ(world.count(Counter::limit_send_rate), 0U);
}

TEST(SlowReaders, AreLeftAloneUnderCompatNginx) {
  ProxyWorld world(with_location("send_timeout 10s;", "compat nginx; "));
  world.connector.pipe = {.capacity = 300'000};
  Peer client = world.connect({.capacity = 500});
  EXPECT_EQ(sip(world, client, 200'000, 1, 1000), 1000);
}

TEST(SlowBackends, MayDripEventsForAsLongAsTheyLike) {
  ProxyWorld world(with_location("proxy_read_timeout 5m; send_timeout 1s;"));
  Peer client = world.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  world.backend().send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  for (int i = 0; i < 10; ++i) {
    world.pass(1min);
    world.backend().send("1\r\nx\r\n");
    EXPECT_EQ(client.received(), "1\r\nx\r\n");
  }
}

/// What the access log has of a client that sent `bytes` and then waited, or left.
std::string log_of(std::string_view bytes, bool leaves, std::string* errors) {
  ProxyWorld world(
      "error_log /prefix/e.log info; http { log_format f '$request|$status|$body_bytes_sent';"
      "access_log /prefix/a.log f; client_header_timeout 5s; server { listen 127.0.0.1:8000; } }");
  Peer client = world.connect();
  client.send(bytes);
  if (leaves) {
    client.close();
  } else {
    world.pass(6s);
    EXPECT_EQ(client.received(), "");
    EXPECT_TRUE(client.is_over());
  }
  world.worker.site.reset();
  *errors = world.log("/prefix/e.log");
  return world.log("/prefix/a.log");
}

TEST(UnfinishedHeads, AreInTheLogsWithoutAnAnswer) {
  std::string errors;
  EXPECT_EQ(log_of("GET /x HT", false, &errors), "-|408|0\n");
  EXPECT_THAT(errors, HasSubstr("client timed out (110: Connection timed out) while reading client "
                                "request line, client: 10.9.8.7"));
  EXPECT_EQ(log_of("GET /x HTTP/1.1\r\nHost: a\r\n", false, &errors), "GET /x HTTP/1.1|408|0\n");
  EXPECT_THAT(errors, HasSubstr("client timed out (110: Connection timed out) while reading client "
                                "request headers, client: 10.9.8.7"));
  EXPECT_THAT(errors, HasSubstr("request: \"GET /x HTTP/1.1\""));
  EXPECT_EQ(log_of("GET /x HTTP/1.1\r\n", true, &errors), "GET /x HTTP/1.1|400|0\n");
  EXPECT_THAT(errors, HasSubstr("client prematurely closed connection while reading client"));
}

TEST(UnfinishedHeads, OfWhichNothingCameAreInTheErrorLogAlone) {
  std::string errors;
  EXPECT_EQ(log_of("", false, &errors), "");
  EXPECT_THAT(errors, HasSubstr("client timed out (110: Connection timed out) while waiting for "
                                "request, client: 10.9.8.7, server: 127.0.0.1:8000"));
  EXPECT_EQ(log_of("", true, &errors), "");
  EXPECT_THAT(errors, HasSubstr("client closed connection while waiting for request"));
}

}  // namespace
}  // namespace snapshot::testing
