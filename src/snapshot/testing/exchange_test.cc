// Whole exchanges: from the client's bytes to the backend's and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "snapshot/testing/proxy_world.h"

namespace snapshot::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: example.com\r\n\r\n";
constexpr std::string_view kEmpty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A server with one location and what stands in it.
std::string server(std::string_view location, std::string_view outside = "") {
  return std::string("server { listen 127.0.0.1:8000; ") + std::string(outside) + " location / { " +
         std::string(location) + " } }";
}
std::string to_backend(std::string_view more = "") {
  return server("proxy_pass http://10.0.0.1:80; " + std::string(more));
}

TEST(Exchange, ForwardsARequestAndItsAnswer) {
  ProxyWorld world(to_backend());
  Peer client = world.connect();
  client.send("GET /a%20b?q=1 HTTP/1.1\r\nHost: example.com\r\nX-One: 1\r\n\r\n");
  EXPECT_EQ(world.backend().received(),
            "GET /a%20b?q=1 HTTP/1.1\r\nHost: 10.0.0.1:80\r\nX-One: 1\r\n\r\n");
  world.backend().send("HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-Two: 2\r\n\r\nok");
  const std::string answer = client.received();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 Fine\r\nServer: sallyport\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Two: 2\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\nok"));
  EXPECT_FALSE(client.is_over());
}

TEST(Exchange, ServesByteByByteBothWays) {
  ProxyWorld world(to_backend());
  world.connector.pipe = {.capacity = 7, .slice = 1};
  Peer client = world.connect({.capacity = 5, .slice = 1});
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  const std::string sent = world.backend().received();
  EXPECT_THAT(sent, HasSubstr("Content-Length: 3\r\n\r\nabc"));
  std::string answer;
  for (const char c : std::string_view(
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")) {
    world.backend().send({&c, 1});
    answer += client.received();
  }
  EXPECT_THAT(answer, HasSubstr("\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"));
}

TEST(Exchange, ReusesTheBackendsConnectionAndTheClients) {
  ProxyWorld world(to_backend());
  Peer client = world.connect();
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    EXPECT_THAT(world.backend().received(), StartsWith("GET /x "));
    world.backend().send(kEmpty);
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200 OK"));
  }
  EXPECT_EQ(world.connector.addresses.size(), 1U);
}

TEST(Exchange, LogsWhatBackendAndAnswerSaidAfterTheyAreGone) {
  ProxyWorld world(
      "http { log_format f '$upstream_http_x_two|$sent_http_x_two|$status'; access_log a.log f; " +
      to_backend() + "}");
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send(
      "HTTP/1.1 200 OK\r\nX-Two: two\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.received(), HasSubstr("X-Two: two"));
  client.close();
  world.pass(2s);
  world.worker.site.reset();
  EXPECT_EQ(world.log("/prefix/a.log"), "two|two|200\n");
}

TEST(Exchange, RepeatsARequestOnAFreshConnectionWhenTheKeptOneDied) {
  ProxyWorld world("http { log_format f '$upstream_status|$upstream_addr'; access_log a.log f; " +
                   to_backend() + "}");
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send(kEmpty);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  client.send(kGet);  // taken over the kept connection, which now dies without a byte
  world.backend().close();
  ASSERT_EQ(world.connector.connections.size(), 2U);
  EXPECT_THAT(world.backend().received(), StartsWith("GET /x "));
  world.backend().send(kEmpty);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  client.close();
  world.worker.site.reset();
  EXPECT_EQ(world.log("/prefix/a.log"), "200|10.0.0.1:80\n200|10.0.0.1:80\n");
}

TEST(Exchange, DoesNotRepeatARequestThatMayHaveHadEffects) {
  ProxyWorld world(to_backend());
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send(kEmpty);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
  world.backend().close();
  EXPECT_EQ(world.connector.connections.size(), 1U);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 502"));
}

TEST(Exchange, TriesTheNextPeerWhenOneRefuses) {
  ProxyWorld world("http { upstream u { server 10.0.0.1:80; server 10.0.0.2:80; } " +
                   server("proxy_pass http://u;") + "}");
  world.connector.refusing = {"10.0.0.1:80"};
  Peer client = world.connect();
  client.send(kGet);
  EXPECT_THAT(world.backend().received(), HasSubstr("Host: u\r\n"));
  world.backend().send(kEmpty);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(world.connector.addresses.size(), 2U);
}

TEST(Exchange, AnswersBadGatewayWhenTheBackendBreaksItsWordWhileTheBodyIsOnItsWay) {
  ProxyWorld world(to_backend("proxy_request_buffering off;"));
  world.connector.pipe = {.capacity = 64};
  Peer client = world.connect({.capacity = 1 << 20});
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" +
              std::string(50000, 'x'));
  world.backend().send("nonsense\r\n\r\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 502"));
}

TEST(Exchange, PassesAnEarlyAnswerOnAndEndsTheClientsConnection) {
  ProxyWorld world(to_backend("proxy_request_buffering off;"));
  world.connector.pipe = {.capacity = 64};
  Peer client = world.connect({.capacity = 1 << 20});
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" +
              std::string(50000, 'x'));
  world.backend().send("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
  const std::string answer = client.received();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 No\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(client.is_over());
  world.pass(6s);
  EXPECT_TRUE(world.backend().received().size() < 50000);
  EXPECT_EQ(world.connections.running(), 0U);
}

TEST(Exchange, ResetsTheClientWhenTheAnswerIsCutOff) {
  ProxyWorld world(to_backend());
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(client.received().ends_with("\r\n\r\nabc"));
  world.backend().close();
  EXPECT_TRUE(client.is_over());
  EXPECT_TRUE(client.was_reset());
  EXPECT_THAT(world.log("/prefix/error.log"), HasSubstr("upstream prematurely closed connection"));
}

TEST(Exchange, CancelsTheBackendWhenTheClientLeaves) {
  ProxyWorld world(to_backend());
  Peer client = world.connect();
  client.send(kGet);
  EXPECT_THAT(world.backend().received(), StartsWith("GET"));
  client.close();
  EXPECT_TRUE(world.backend().is_over());
  EXPECT_EQ(world.count(observe::Counter::upstream_active), 0U);
}

TEST(Exchange, TimesOutABackendThatSaysNothing) {
  ProxyWorld world(to_backend("proxy_read_timeout 5s;"));
  Peer client = world.connect();
  client.send(kGet);
  world.pass(4s);
  EXPECT_EQ(client.received(), "");
  world.pass(2s);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 504"));
}

TEST(Exchange, RefusesAHeadThatTurnsBadInAGrownBufferAndLogsItsRequest) {
  ProxyWorld world("http { log_format f '$request'; access_log a.log f; error_log e.log info; " +
                   to_backend() + "}");
  Peer client = world.connect();
  client.send("GET /the-path HTTP/1.1\r\nHost: a\r\n");
  client.send("X: " + std::string(5000, 'x') + "\r\n");
  client.send("Y: 1\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 400"));
  EXPECT_TRUE(client.is_over());
  client.close();
  EXPECT_THAT(world.log("/prefix/e.log"), HasSubstr("request: \"GET /the-path HTTP/1.1\""));
}

TEST(Exchange, StopsDroppingABodyThatNeverEnds) {
  ProxyWorld world(server("client_max_body_size 0; return 200 ok;"));
  Peer client = world.connect({.capacity = 64 << 20});
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" +
              std::string(20 << 20, 'x'));
  const std::string answer = client.received();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  world.pass(40s);
  EXPECT_EQ(world.connections.running(), 0U);
  EXPECT_LT(world.count(observe::Counter::bytes_in), 1U << 20);
}

TEST(Exchange, AValueThatCannotBeSentIsNoFailureOfTheBackend) {
  ProxyWorld world("http { upstream u { server 10.0.0.1:80 max_fails=1; } " +
                   server("proxy_pass http://u; proxy_set_header X-Path $uri;") + "}");
  Peer client = world.connect();
  client.send("GET /a%01b HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 500"));
  Peer next = world.connect();
  next.send(kGet);
  EXPECT_THAT(world.backend().received(), StartsWith("GET /x "));
}

TEST(Exchange, NoticesThatTheClientLeftAfterItsStreamedBody) {
  ProxyWorld world(to_backend("proxy_request_buffering off;"));
  Peer client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_TRUE(world.backend().received().ends_with("\r\n\r\nx"));
  client.close();
  EXPECT_TRUE(world.backend().is_over());
  EXPECT_EQ(world.connections.running(), 0U);
}

// Fields.

TEST(Exchange, RemovesWhatAClientMayNotClaim) {
  ProxyWorld world(to_backend("proxy_set_header X-Real-IP $remote_addr;"));
  Peer client = world.connect();
  client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n"
      "Forwarded: for=1.1.1.1\r\nX_Real_IP: 1.1.1.1\r\nX-Real-IP: 2.2.2.2\r\nProxy: evil\r\n"
      "Keep-Alive: 5\r\nTE: trailers\r\nX.Real.IP: 3.3.3.3\r\nX-Kept: yes\r\n\r\n");
  EXPECT_EQ(world.backend().received(),
            "GET / HTTP/1.1\r\nHost: 10.0.0.1:80\r\nX-Real-IP: 10.9.8.7\r\nX-Kept: yes\r\n\r\n");
}

TEST(Exchange, ConnectionMayNameExtensionsOnly) {
  ProxyWorld world(to_backend());
  Peer client = world.connect();
  client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop, Authorization, Cookie\r\nX-Hop: 1\r\n"
      "Authorization: Basic eDp5\r\nCookie: a=b\r\n\r\n");
  EXPECT_EQ(world.backend().received(),
            "GET / HTTP/1.1\r\nHost: 10.0.0.1:80\r\nAuthorization: Basic eDp5\r\n"
            "Cookie: a=b\r\n\r\n");
}

TEST(Exchange, ATrustedPeersForwardingFieldsArePassedOn) {
  ProxyWorld world(to_backend(), "127.0.0.1:8000");
  ProxyWorld trusting("http { trusted_proxies 10.0.0.0/8; " + to_backend() + "}");
  for (ProxyWorld* each : {&world, &trusting}) {
    Peer client = each->connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n");
    const std::string sent = each->backend().received();
    EXPECT_EQ(sent.find("X-Forwarded-For: 1.1.1.1") != std::string::npos, each == &trusting);
  }
}

TEST(Exchange, HidesAndShowsWhatItIsToldTo) {
  ProxyWorld world(to_backend("proxy_hide_header X-Secret; proxy_pass_header Server;"));
  Peer client = world.connect();
  client.send(kGet);
  world.backend().send(
      "HTTP/1.1 200 OK\r\nServer: origin\r\nX-Secret: 1\r\nX-Accel-Buffering: no\r\n"
      "Keep-Alive: 5\r\nContent-Length: 0\r\n\r\n");
  const std::string answer = client.received();
  EXPECT_THAT(answer, HasSubstr("Server: origin\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("sallyport")));
  EXPECT_THAT(answer, Not(HasSubstr("X-Secret")));
  EXPECT_THAT(answer, Not(HasSubstr("X-Accel")));
  EXPECT_THAT(answer, Not(HasSubstr("Keep-Alive")));
}

TEST(Exchange, RewritesRedirectsToItself) {
  ProxyWorld world(server("", "location /app/ { proxy_pass http://10.0.0.1:80/inner/; }"));
  Peer client = world.connect();
  client.send("GET /app/x HTTP/1.1\r\nHost: a:8000\r\n\r\n");
  EXPECT_THAT(world.backend().received(), StartsWith("GET /inner/x "));
  world.backend().send(
      "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1:80/inner/y\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(client.received(), HasSubstr("Location: http://a:8000/app/y\r\n"));
}

// Paths.

struct PathCase {
  const char* received;
  const char* forwarded;
};

void expect_paths(const std::string& configuration, std::initializer_list<PathCase> cases) {
  ProxyWorld world(configuration);
  for (const PathCase& each : cases) {
    Peer client = world.connect();
    client.send("GET " + std::string(each.received) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    if (*each.forwarded == '\0') {
      EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 400")) << each.received;
      continue;
    }
    ASSERT_FALSE(world.connector.connections.empty());
    EXPECT_THAT(world.backend().received(), StartsWith("GET " + std::string(each.forwarded) + " "))
        << each.received;
    world.backend().send(kEmpty);
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200")) << each.received;
  }
}

TEST(Paths, ForwardsTheReceivedBytesOnlyIfTheySayWhatWasMatched) {
  expect_paths(to_backend(), {{"/", "/"},
                              {"/a%20b?x=%2e", "/a%20b?x=%2e"},
                              {"/%61", "/%61"},
                              {"/a//b", "/a/b"},
                              {"/a/./b", "/a/b"},
                              {"/a/../b", "/b"},
                              {"/a/.", "/a/"},
                              {"/a/%2e", ""},
                              {"/..", ""},
                              {"/a%2Fb", "/a%2Fb"},
                              {"/a?", "/a?"},
                              {"http://a/p", "/p"},
                              {"http://a", "/"}});
}

TEST(Paths, AUriInProxyPassReplacesTheLocation) {
  expect_paths(server("", "location /app/ { proxy_pass http://10.0.0.1:80/in%20ner/; }"),
               {{"/app/", "/in%20ner/"},
                {"/app/a%20b?q", "/in%20ner/a%20b?q"},
                {"/x/../app/y", "/in%20ner/y"}});
}

TEST(Paths, DecodedSlashesAreNeverForwardedAsReceived) {
  expect_paths("http { encoded_slash decode; " + to_backend() + "}",
               {{"/a%2Fb", "/a/b"}, {"/a//b%2fc", "/a/b/c"}, {"/a/./b%2Fc", "/a/b/c"}});
}

TEST(Paths, AProxyPassWithVariablesSendsWhatTheyGive) {
  expect_paths(server("proxy_pass http://10.0.0.1:80$request_uri;"),
               {{"/a%20b?c", "/a%20b?c"}, {"/", "/"}});
  ProxyWorld world(server("proxy_pass http://10.0.0.1:80$uri;"));
  Peer client = world.connect();
  client.send("GET /a%20b HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 500"));
}

// Bodies.

TEST(Bodies, AreHeldInAFileBeyond16KilobytesAndSentWhole) {
  ProxyWorld world(to_backend());
  Peer client = world.connect();
  std::string body;
  for (int i = 0; body.size() < 300'000; ++i) body += std::to_string(i) + ",";
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n");
  client.send(std::string_view(body).substr(0, 100'000));
  EXPECT_TRUE(world.connector.connections.empty());
  client.send(std::string_view(body).substr(100'000));
  const std::string sent = world.backend().received();
  EXPECT_TRUE(sent.ends_with("\r\n\r\n" + body));
  world.backend().send(kEmpty);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
}

TEST(Bodies, BeyondTheLimitAreRefused) {
  ProxyWorld world(to_backend("client_max_body_size 10;"));
  Peer known = world.connect();
  known.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
  EXPECT_THAT(known.received(), StartsWith("HTTP/1.1 413"));
  Peer chunked = world.connect();
  chunked.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n");
  EXPECT_THAT(chunked.received(), StartsWith("HTTP/1.1 413"));
  EXPECT_TRUE(world.connector.connections.empty());
}

TEST(Bodies, AreAskedForOnceByAHundredContinue) {
  ProxyWorld world(to_backend());
  Peer client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(client.received(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ab");
  EXPECT_EQ(client.received(), "");
  client.send("cd");
  const std::string sent = world.backend().received();
  EXPECT_TRUE(sent.ends_with("\r\n\r\nabcd"));
  EXPECT_THAT(sent, Not(HasSubstr("Expect")));
}

TEST(Bodies, ThatComeTooSlowlyAreARequestTimeout) {
  ProxyWorld world(to_backend("client_body_timeout 5s;"));
  Peer client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
  world.pass(6s);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 408"));
}

TEST(Bodies, OfPipelinedRequestsAreKeptApart) {
  ProxyWorld world(to_backend());
  Peer client = world.connect();
  client.send(
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nonePOST /2 HTTP/1.1\r\nHost: a\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  for (const char* expected : {"POST /1 ", "POST /2 ", "GET /3 "}) {
    EXPECT_THAT(world.backend().received(), StartsWith(expected));
    world.backend().send(kEmpty);
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_FALSE(client.is_over());
}

// Upgrades.

constexpr std::string_view kUpgrading =
    "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;"
    "proxy_read_timeout 10s;";
constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
constexpr std::string_view kSwitch =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

TEST(Tunnel, CarriesEarlyBytesAndHalfClosesBothWays) {
  ProxyWorld world(to_backend(kUpgrading));
  Peer client = world.connect();
  client.send(std::string(kUpgrade) + "early");
  EXPECT_THAT(world.backend().received(), HasSubstr("Upgrade: websocket\r\n\r\n"));
  world.backend().send(std::string(kSwitch) + "hello");
  const std::string answer = client.received();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 101"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\nhello"));
  EXPECT_EQ(world.backend().received(), "early");
  client.send("ping");
  EXPECT_EQ(world.backend().received(), "ping");
  client.shut_down();
  EXPECT_TRUE(world.backend().is_over());
  world.backend().send("still here");
  EXPECT_EQ(client.received(), "still here");
  world.backend().shut_down();
  EXPECT_TRUE(client.is_over());
  EXPECT_EQ(world.connections.running(), 0U);
}

TEST(Tunnel, EndsWhenNeitherSideSpeaks) {
  ProxyWorld world(to_backend(kUpgrading));
  Peer client = world.connect();
  client.send(kUpgrade);
  world.backend().send(kSwitch);
  world.pass(9s);
  client.send("ping");
  world.pass(9s);
  EXPECT_FALSE(world.backend().received().empty());
  EXPECT_EQ(world.connections.running(), 1U);
  world.pass(2s);
  world.pass(2s);
  EXPECT_EQ(world.connections.running(), 0U);
}

TEST(Tunnel, IsNotMadeOfAnAnswerThatNobodyAskedFor) {
  ProxyWorld world(to_backend());
  Peer client = world.connect();
  client.send(kUpgrade);
  EXPECT_THAT(world.backend().received(), Not(HasSubstr("pgrade")));
  world.backend().send(kSwitch);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 502"));
}

TEST(Tunnel, IsNotAskedForWithH2cOrWithABody) {
  ProxyWorld world(to_backend(kUpgrading));
  Peer h2c = world.connect();
  h2c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  EXPECT_THAT(world.backend().received(), Not(HasSubstr("pgrade")));
  Peer body = world.connect();
  body.send(
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Content-Length: 1\r\n\r\nx");
  EXPECT_THAT(world.backend().received(), Not(HasSubstr("pgrade")));
}

TEST(Tunnel, AnOrdinaryAnswerToAnUpgradeEndsTheConnection) {
  ProxyWorld world(to_backend(kUpgrading));
  Peer client = world.connect();
  client.send(std::string(kUpgrade) + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(world.backend().received(), Not(HasSubstr("smuggled")));
  world.backend().send(kEmpty);
  EXPECT_THAT(client.received(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(client.is_over());
  EXPECT_EQ(world.backend().received(), "");
}

// Connections.

TEST(KeepAlive, EndsAfterItsTimeItsRequestsAndInADrain) {
  ProxyWorld world("http { keepalive_timeout 10s; keepalive_requests 2; " +
                   server("return 200 ok;") + "}");
  Peer idle = world.connect();
  idle.send(kGet);
  EXPECT_THAT(idle.received(), Not(HasSubstr("Connection: close")));
  world.pass(9s);
  EXPECT_FALSE(idle.is_over());
  world.pass(2s);
  EXPECT_TRUE(idle.is_over());

  Peer busy = world.connect();
  busy.send(kGet);
  EXPECT_THAT(busy.received(), Not(HasSubstr("Connection: close")));
  busy.send(kGet);
  EXPECT_THAT(busy.received(), HasSubstr("Connection: close"));
  EXPECT_TRUE(busy.is_over());

  Peer drained = world.connect();
  drained.send(kGet);
  EXPECT_THAT(drained.received(), StartsWith("HTTP/1.1 200"));
  world.connections.request_drain();
  EXPECT_TRUE(drained.is_over());
}

TEST(ProxyProtocolToBackends, OpensEachConnectionAndIsNeverSharedByTwoRequests) {
  ProxyWorld world(to_backend("proxy_protocol on;"));
  Peer client = world.connect();
  for (const auto count : {1U, 2U}) {
    client.send(kGet);
    ASSERT_EQ(world.connector.connections.size(), count);
    EXPECT_EQ(world.backend().received(),
              "PROXY TCP4 10.9.8.7 127.0.0.1 40000 8000\r\n"
              "GET /x HTTP/1.1\r\nHost: 10.0.0.1:80\r\nConnection: close\r\n\r\n");
    world.backend().send(kEmpty);
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
    EXPECT_TRUE(world.backend().is_over());
  }
  EXPECT_EQ(world.count(observe::Counter::upstream_idle), 0U);
}

TEST(ProxyProtocolToBackends, TakesNoConnectionThatOtherRequestsLeft) {
  ProxyWorld world(
      "upstream u { server 10.0.0.1:80; }"
      "server { listen 127.0.0.1:8000; location / { proxy_pass http://u; }"
      " location /told { proxy_pass http://u; proxy_protocol v2; } }");
  Peer client = world.connect();
  client.send(kGet);
  EXPECT_THAT(world.backend().received(), StartsWith("GET /x "));
  world.backend().send(kEmpty);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
  client.send("GET /told HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(world.connector.connections.size(), 2U);
  EXPECT_THAT(world.backend().received(),
              StartsWith(std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11", 14)));
  world.backend().send(kEmpty);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
}

TEST(ProxyProtocolToBackends, ComesAgainWithEachAttempt) {
  ProxyWorld world(
      "upstream u { server 10.0.0.1:80; server 10.0.0.2:80; }"
      "server { listen 127.0.0.1:8000; location / { proxy_pass http://u; proxy_protocol v1; } }");
  Peer client = world.connect();
  client.send(kGet);
  EXPECT_THAT(world.backend().received(), StartsWith("PROXY TCP4 10.9.8.7 "));
  world.backend().close();
  ASSERT_EQ(world.connector.connections.size(), 2U);
  EXPECT_THAT(world.backend().received(), StartsWith("PROXY TCP4 10.9.8.7 "));
  world.backend().send(kEmpty);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200"));
}

TEST(ProxyProtocolToBackends, TellsTheAddressThatRealIpFound) {
  ProxyWorld world(to_backend("proxy_protocol v1; set_real_ip_from 10.9.8.7;"));
  Peer client = world.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Real-IP: 2001:db8::9\r\n\r\n");
  EXPECT_THAT(world.backend().received(),
              StartsWith("PROXY TCP6 2001:db8::9 ::ffff:127.0.0.1 0 8000\r\nGET / "));
}

TEST(KeepAlive, IsNotGivenToHttp10UnlessAskedFor) {
  ProxyWorld world(to_backend());
  Peer client = world.connect();
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  world.backend().send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
  const std::string answer = client.received();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\nok"));
  EXPECT_TRUE(client.is_over());
}

}  // namespace
}  // namespace snapshot::testing
