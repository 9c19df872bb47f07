// What a reload leaves as it was, and what it takes away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "snapshot/testing/proxy_world.h"

namespace snapshot::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: example.com\r\n\r\n";
constexpr std::string_view kEmpty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

std::string group(std::string_view servers, std::string_view more = "") {
  return "http { upstream u { " + std::string(servers) + " } " + std::string(more) +
         " server { listen 127.0.0.1:8000; location / { proxy_pass http://u; } } }";
}

void exchange_one(ProxyWorld& world, Peer& client) {
  client.send(kGet);
  ASSERT_THAT(world.backend().received(), StartsWith("GET /x "));
  world.backend().send(kEmpty);
  ASSERT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
}

TEST(Reload, KeepsConnectionsToAGroupThatStaysAsItIs) {
  ProxyWorld world(group("server 10.0.0.1:80;"));
  Peer client = world.connect();
  exchange_one(world, client);
  world.reload(group("server 10.0.0.1:80;", "keepalive_timeout 9s;"));
  exchange_one(world, client);
  world.reload(group("server 10.0.0.1:80;"));
  exchange_one(world, client);
  EXPECT_EQ(world.connector.addresses.size(), 1U);
}

TEST(Reload, ClosesConnectionsToAGroupThatChanges) {
  ProxyWorld world(group("server 10.0.0.1:80;"));
  Peer client = world.connect();
  exchange_one(world, client);
  Peer& old = world.backend();
  world.reload(group("server 10.0.0.1:80 max_fails=7;"));
  EXPECT_TRUE(old.is_over());
  exchange_one(world, client);
  EXPECT_EQ(world.connector.addresses.size(), 2U);
}

TEST(Reload, KeepsAPeerOutOfServiceThatHasFailed) {
  const std::string two = group("server 10.0.0.1:80 fail_timeout=60s; server 10.0.0.2:80;");
  ProxyWorld world(two);
  world.connector.refusing = {"10.0.0.1:80"};
  Peer client = world.connect();
  exchange_one(world, client);
  ASSERT_THAT(world.connector.addresses, ::testing::ElementsAre("10.0.0.1:80", "10.0.0.2:80"));
  world.reload(two);
  for (int i = 0; i < 3; ++i) exchange_one(world, client);
  EXPECT_EQ(world.connector.addresses.size(), 2U);
}

TEST(Reload, ClosesConnectionsToATargetThatIsGone) {
  ProxyWorld world("server { listen 127.0.0.1:8000; location / { proxy_pass http://10.0.0.1; } }");
  Peer client = world.connect();
  exchange_one(world, client);
  Peer& old = world.backend();
  world.reload("server { listen 127.0.0.1:8000; location / { return 204; } }");
  EXPECT_TRUE(old.is_over());
  EXPECT_EQ(world.count(observe::Counter::upstream_idle), 0U);
}

TEST(Reload, LetsARequestUnderWayEndAtItsBackend) {
  ProxyWorld world("server { listen 127.0.0.1:8000; location / { proxy_pass http://10.0.0.1; } }");
  Peer client = world.connect();
  client.send(kGet);
  Peer& backend = world.backend();
  world.reload("server { listen 127.0.0.1:8000; location / { return 204; } }");
  backend.send(kEmpty);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  client.send(kGet);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 204"));
}

TEST(Reload, KeepsClustersThatVariablesNamed) {
  const std::string dynamic =
      "server { listen 127.0.0.1:8000; location / { proxy_pass http://$arg_to; } }";
  ProxyWorld world(dynamic);
  Peer client = world.connect();
  for (int i = 0; i < 2; ++i) {
    client.send("GET /?to=10.0.0.1 HTTP/1.1\r\nHost: a\r\n\r\n");
    world.backend().send(kEmpty);
    ASSERT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
    world.reload(dynamic);
  }
  EXPECT_EQ(world.connector.addresses.size(), 1U);
}

}  // namespace
}  // namespace snapshot::testing
