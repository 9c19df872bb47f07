// limit_rate and proxy_limit_rate in whole exchanges, with time in the test's hand.
#include <gtest/gtest.h>

#include <string>

#include "snapshot/testing/proxy_world.h"

namespace snapshot::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::string with_location(std::string_view location) {
  return "http { server { listen 127.0.0.1:8000; location / { proxy_pass http://10.0.0.1:80; " +
         std::string(location) + " } } }";
}

std::string answer(std::size_t size, std::string_view fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(size, 'x');
}

/// Bytes of the body, as far as it has come.
std::size_t body_of(const std::string& received) {
  const std::size_t end = received.find("\r\n\r\n");
  return end == std::string::npos ? 0 : received.size() - end - 4;
}

/// Bytes of the body after `time` and at its end, which must come.
void expect_pace(ProxyWorld& world, Peer& client, std::size_t at_once, std::size_t size) {
  std::string received = client.received();
  EXPECT_EQ(body_of(received), at_once);
  int seconds = 0;
  for (; body_of(received) < size && seconds < 100; ++seconds) {
    world.pass(1s);
    received += client.received();
    EXPECT_LE(body_of(received), at_once + 1000 * (static_cast<std::size_t>(seconds) + 1));
  }
  EXPECT_EQ(body_of(received), size);
}

TEST(LimitRate, SendsNoMoreThanItSays) {
  ProxyWorld world(with_location("limit_rate 1000;"));
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send(answer(5000));
  expect_pace(world, client, 1000, 5000);
  client.send(kGet);  // the connection goes on
  world.backend().send(answer(10));
  EXPECT_EQ(body_of(client.received()), 10U);
}

TEST(LimitRate, BeginsAfterWhatIsFree) {
  ProxyWorld world(with_location("limit_rate 1000; limit_rate_after 2k;"));
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send(answer(6000));
  expect_pace(world, client, 3048, 6000);
}

TEST(LimitRate, MayComeFromAVariable) {
  ProxyWorld world(with_location("limit_rate $arg_rate;"));
  Peer client = world.connect();
  client.send("GET /?rate=1000 HTTP/1.1\r\nHost: a\r\n\r\n");
  world.backend().send(answer(3000));
  expect_pace(world, client, 1000, 3000);
  client.send("GET /?rate=many HTTP/1.1\r\nHost: a\r\n\r\n");  // no size: no limit
  world.backend().send(answer(3000));
  EXPECT_EQ(body_of(client.received()), 3000U);
}

TEST(LimitRate, IsTheBackendsToSay) {
  ProxyWorld world(with_location("limit_rate 10;"));
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send(answer(3000, "X-Accel-Limit-Rate: 1000\r\n"));
  expect_pace(world, client, 1000, 3000);
  client.send(kGet);
  world.backend().send(answer(3000, "X-Accel-Limit-Rate: 0\r\n"));
  EXPECT_EQ(body_of(client.received()), 3000U);
}

TEST(LimitRate, IsNotTheBackendsToSayWhereItIsIgnored) {
  ProxyWorld world(with_location("proxy_ignore_headers X-Accel-Limit-Rate;"));
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send(answer(3000, "X-Accel-Limit-Rate: 1000\r\n"));
  const std::string received = client.received();
  EXPECT_EQ(body_of(received), 3000U);
  EXPECT_EQ(received.find("X-Accel"), std::string::npos);  // hidden all the same
}

// Each byte of the backend's becomes five: what is limited is what is sent.
TEST(LimitRate, CountsWhatFiltersMake) {
  ProxyWorld world(with_location(
      "limit_rate 1000; sub_filter x yyyyy; sub_filter_once off; sub_filter_types *;"));
  Peer client = world.connect();
  client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");  // no chunks
  world.backend().send(answer(1000));
  expect_pace(world, client, 1000, 5000);
}

TEST(LimitRate, CountsWhatCompressionLeaves) {
  ProxyWorld world(with_location("limit_rate 1000; gzip on; gzip_types *; gzip_http_version 1.0;"));
  Peer client = world.connect();
  client.send("GET / HTTP/1.0\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
  world.backend().send(answer(50'000));
  EXPECT_GT(body_of(client.received()), 50U);
  EXPECT_TRUE(client.is_over());
}

TEST(LimitRate, HoldsForTextsOfTheConfiguration) {
  ProxyWorld world(
      "http { server { listen 127.0.0.1:8000; location / { limit_rate 1000; return "
      "200 " +
      std::string(3000, 'x') + "; } } }");
  Peer client = world.connect();
  client.send(kGet);
  expect_pace(world, client, 1000, 3000);
}

TEST(LimitRate, DoesNotKeepWhoAsksForTheHeadAlone) {
  ProxyWorld world(
      "http { server { listen 127.0.0.1:8000; location / { limit_rate 10; return 200 " +
      std::string(3000, 'x') + "; } } }");
  Peer client = world.connect();
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(client.received().find("Content-Length: 3000\r\n"), std::string::npos);
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(client.received().find("Content-Length: 3000\r\n"), std::string::npos);
}

TEST(LimitRate, IsTheLocationsToSet) {
  ProxyWorld world(with_location("set $limit_rate 1000; limit_rate 10;"));
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send(answer(3000));
  expect_pace(world, client, 1000, 3000);
}

// The time that the limit takes is not the client's.
TEST(LimitRate, DoesNotMakeAClientTooSlow) {
  ProxyWorld world(with_location("limit_rate 1000; send_min_rate 2000; send_timeout 2s;"));
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send(answer(20'000));
  expect_pace(world, client, 1000, 20'000);
}

TEST(LimitRate, OfBackendsHoldsWhileBuffering) {
  ProxyWorld world(with_location("proxy_limit_rate 1000;"));
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send("HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n");
  std::size_t got = body_of(client.received());
  world.backend().send(std::string(2000, 'x'));
  got += client.received().size();
  EXPECT_EQ(got, 2000U);  // one read
  world.backend().send(std::string(4000, 'x'));
  EXPECT_EQ(client.received().size(), 0U);
  world.pass(2s);
  EXPECT_EQ(client.received().size(), 4000U);
}

}  // namespace
}  // namespace snapshot::testing
