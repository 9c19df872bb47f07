#include "tls/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "tls/testing/world.h"

namespace tls {
namespace {

using base::ErrorCode;
using testing::issue;
using testing::IssueOptions;
using testing::Pair;
using testing::World;

class TlsStreamTest : public ::testing::Test {
 protected:
  void serve(std::string name, const IssueOptions& options = {}, const ServerPolicy& policy = {}) {
    const CertificatePtr certificate = world.add(issue(options));
    contexts.push_back(world.server_context(policy));
    world.source.servers[std::move(name)] = {.context = contexts.back().get(),
                                             .certificates = {certificate}};
  }
  std::unique_ptr<Pair> connect(std::string sni = "example.com", ClientPolicy policy = {},
                                io::testing::PipeOptions options = {}) {
    clients.push_back(world.client_context(std::move(policy)));
    auto pair = world.connect(*contexts.front(), *clients.back(), {.sni = std::move(sni)}, options);
    world.handshake(*pair);
    return pair;
  }

  World world;
  std::vector<std::unique_ptr<ServerContext>> contexts;
  std::vector<std::unique_ptr<ClientContext>> clients;
};

struct Combination {
  KeyType key_type;
  Version version;
};
class TlsStreamWithKey : public TlsStreamTest, public ::testing::WithParamInterface<Combination> {};

TEST_P(TlsStreamWithKey, ShakesHandsAndPassesBytesBothWays) {
  serve("", {.key_type = GetParam().key_type});
  const auto pair = connect("example.com", {.versions = {GetParam().version}});
  ASSERT_TRUE(pair->server_result) << base::describe(pair->server_result.error())
                                   << pair->server->failure() << pair->client->failure();
  ASSERT_TRUE(pair->client_result) << pair->client->failure();
  EXPECT_EQ(world.pass(*pair->client, *pair->server, "question"), "question");
  EXPECT_EQ(world.pass(*pair->server, *pair->client, "answer"), "answer");
  EXPECT_EQ(pair->server->protocol(), GetParam().version == Version::tls1_2   ? "TLSv1.2"
                                      : GetParam().version == Version::tls1_3 ? "TLSv1.3"
                                                                              : "TLSv1");
  EXPECT_FALSE(pair->server->cipher().empty());
  EXPECT_EQ(pair->server->sni(), "example.com");
  EXPECT_EQ(pair->server->curve(), "X25519");
  EXPECT_FALSE(pair->server->resumed());
}

INSTANTIATE_TEST_SUITE_P(Keys, TlsStreamWithKey,
                         ::testing::Values(Combination{KeyType::rsa, Version::tls1_2},
                                           Combination{KeyType::rsa, Version::tls1_3},
                                           Combination{KeyType::ec, Version::tls1_2},
                                           Combination{KeyType::ec, Version::tls1_3},
                                           Combination{KeyType::ed25519, Version::tls1_2},
                                           Combination{KeyType::ed25519, Version::tls1_3}));

TEST_F(TlsStreamTest, SpeaksOldVersionsWhenThePolicySaysSo) {
  serve("", {.key_type = KeyType::rsa}, {.versions = {Version::tls1_0}, .ciphers = "ALL"});
  const auto pair = connect("example.com", {.versions = {Version::tls1_0}, .ciphers = "ALL"});
  ASSERT_TRUE(pair->server_result) << base::describe(pair->server_result.error())
                                   << pair->server->failure() << pair->client->failure();
  EXPECT_EQ(pair->server->protocol(), "TLSv1");
}

TEST_F(TlsStreamTest, ServesTheNameThatTheClientAskedFor) {
  serve("", {.names = {"default"}}, {.alpn = {"http/1.1"}});
  serve("b.example", {.names = {"b.example"}}, {.versions = {Version::tls1_2}, .alpn = {"h2"}});
  const auto pair = connect("B.Example", {.alpn = {"h2", "http/1.1"}});
  ASSERT_TRUE(pair->server_result) << base::describe(pair->server_result.error())
                                   << pair->server->failure() << pair->client->failure();
  EXPECT_EQ(pair->server->sni(), "b.example");
  EXPECT_EQ(pair->client->protocol(), "TLSv1.2");
  EXPECT_EQ(pair->client->alpn(), "h2");
  EXPECT_EQ(world.source.asked, 1);
  EXPECT_EQ(connect("", {.alpn = {"h2", "http/1.1"}})->client->alpn(), "http/1.1");
}

TEST_F(TlsStreamTest, RefusesAnUnknownNameByAlert) {
  serve("known.example");
  const auto pair = connect("other.example");
  ASSERT_FALSE(pair->server_result);
  EXPECT_TRUE(pair->server_result.error().is(ErrorCode::tls));
  EXPECT_EQ(pair->server->failure(), "no server has the name \"other.example\"");
  ASSERT_FALSE(pair->client_result);
  EXPECT_THAT(std::string(pair->client->failure()), ::testing::HasSubstr("unrecognized name"));
}

TEST_F(TlsStreamTest, RefusesProtocolsThatItDoesNotHave) {
  serve("", {}, {.alpn = {"h2"}});
  const auto pair = connect("example.com", {.alpn = {"spdy/1"}});
  EXPECT_FALSE(pair->server_result);
  EXPECT_THAT(std::string(pair->client->failure()),
              ::testing::HasSubstr("no application protocol"));
}

TEST_F(TlsStreamTest, SaysWhyThereIsNoCommonCipher) {
  serve("", {}, {.ciphers = "ECDHE-RSA-AES128-GCM-SHA256"});
  const auto pair = connect("example.com", {.versions = {Version::tls1_2}});
  ASSERT_FALSE(pair->server_result);
  EXPECT_EQ(pair->server->failure(),
            "SSL_do_handshake() failed (SSL: error:0A0000C1:SSL routines::no shared cipher)");
}

TEST_F(TlsStreamTest, ChoosesTheCertificateThatTheClientCanUse) {
  serve("", {.key_type = KeyType::ec});
  world.source.servers[""].certificates.push_back(world.add(issue({.key_type = KeyType::rsa})));
  const auto rsa = connect("example.com", {.versions = {Version::tls1_2}, .ciphers = "aRSA"});
  EXPECT_EQ(rsa->client->cipher().substr(0, 9), "ECDHE-RSA");
  const auto ec = connect("example.com", {.versions = {Version::tls1_2}, .ciphers = "aECDSA"});
  EXPECT_EQ(ec->client->cipher().substr(0, 11), "ECDHE-ECDSA");
}

TEST_F(TlsStreamTest, KeepsWhatTheClientOffersIfThePolicyAsksForIt) {
  serve("", {}, {.client_hello = true});
  const auto pair = connect("example.com", {.alpn = {"http/1.1"}});
  ASSERT_TRUE(pair->server_result);
  const auto hello = pair->server->take_client_hello();
  ASSERT_NE(hello, nullptr);
  EXPECT_EQ(hello->ja4.substr(0, 4), "t13d") << hello->ja4;
  EXPECT_EQ(hello->ja4.substr(8, 3), "h1_") << hello->ja4;
  EXPECT_TRUE(hello->ciphers.contains("TLS_AES_128_GCM_SHA256")) << hello->ciphers;
  EXPECT_TRUE(hello->groups.contains("X25519")) << hello->groups;
  EXPECT_TRUE(hello->signature_schemes.contains("ecdsa_secp256r1_sha256"));
}

TEST_F(TlsStreamTest, KeepsNothingOfTheClientHelloOtherwise) {
  serve("");
  const auto pair = connect();
  EXPECT_EQ(pair->server->take_client_hello(), nullptr);
}

TEST_F(TlsStreamTest, NamesWhatItSignedWith) {
  serve("");
  EXPECT_EQ(connect()->server->signature_scheme(), "ecdsa_secp256r1_sha256");
  EXPECT_EQ(connect("", {.versions = {Version::tls1_2}})->server->signature_scheme(),
            "ecdsa_secp256r1_sha256");
}

TEST_F(TlsStreamTest, WorksWhenEveryByteTravelsAlone) {
  serve("");
  for (const Version version : {Version::tls1_2, Version::tls1_3}) {
    const auto pair = connect("example.com", {.versions = {version}}, {.capacity = 3, .slice = 1});
    ASSERT_TRUE(pair->server_result) << base::describe(pair->server_result.error())
                                     << pair->server->failure() << pair->client->failure();
    EXPECT_EQ(world.pass(*pair->client, *pair->server, "question"), "question");
    EXPECT_EQ(world.pass(*pair->server, *pair->client, "answer"), "answer");
  }
}

TEST_F(TlsStreamTest, HandsBackARequestInTheClear) {
  serve("");
  auto [near, far] = io::testing::make_pipe(world.loop);
  const auto stream = TlsStream::server(std::move(near), *contexts.front(), world.source);
  const iovec request = io::piece_of("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(far->try_write(std::span(&request, 1)));
  base::Result<void> result;
  async::Scope scope;
  scope.spawn(World::shake(*stream, &result));
  world.loop.run_until_idle();
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(ErrorCode::protocol));
  EXPECT_EQ(result.error().context, TlsStream::kPlainHttpRequest);

  auto plain = stream->take_plaintext();
  std::string received = plain.bytes;
  std::array<char, 100> room{};
  while (const auto count = plain.stream->try_read(room)) received.append(room.data(), *count);
  EXPECT_EQ(received, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(world.pass(*plain.stream, *far, "HTTP/1.1 400"), "HTTP/1.1 400");
}

TEST_F(TlsStreamTest, RefusesGarbage) {
  serve("");
  auto [near, far] = io::testing::make_pipe(world.loop);
  const auto stream = TlsStream::server(std::move(near), *contexts.front(), world.source);
  const iovec garbage = io::piece_of("\x01\x02 garbage that is long enough");
  ASSERT_TRUE(far->try_write(std::span(&garbage, 1)));
  base::Result<void> result;
  async::Scope scope;
  scope.spawn(World::shake(*stream, &result));
  world.loop.run_until_idle();
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(ErrorCode::tls));
}

TEST_F(TlsStreamTest, ABackendThatSpeaksFirstInTheClearFailsTheHandshake) {
  clients.push_back(world.client_context());
  auto [near, far] = io::testing::make_pipe(world.loop);
  const auto stream = TlsStream::client(std::move(near), *clients.back(), {.sni = "a"});
  const iovec greeting = io::piece_of("HTTP/1.1 200 OK\r\n\r\n");
  ASSERT_TRUE(far->try_write(std::span(&greeting, 1)));
  base::Result<void> result;
  async::Scope scope;
  scope.spawn(World::shake(*stream, &result));
  world.loop.run_until_idle();
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(ErrorCode::tls));
  std::array<char, 100> room{};
  EXPECT_FALSE(stream->try_read(room));
}

TEST_F(TlsStreamTest, AHandshakeEndsAtItsDeadline) {
  serve("");
  auto [near, far] = io::testing::make_pipe(world.loop);
  const auto stream = TlsStream::server(std::move(near), *contexts.front(), world.source);
  base::Result<void> result;
  async::Scope scope;
  scope.spawn([](TlsStream& s, base::Deadline at, base::Result<void>* into) -> async::Task<void> {
    *into = co_await s.handshake(at);
  }(*stream, world.clock.now() + std::chrono::seconds(60), &result));
  world.clock.advance(std::chrono::seconds(61));
  world.loop.run_until_idle();
  EXPECT_EQ(scope.running(), 0U);
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(ErrorCode::timed_out));
}

TEST_F(TlsStreamTest, CanBeCancelledAfterEveryByteOfTheHandshake) {
  serve("");
  clients.push_back(world.client_context());
  bool ended = false;
  for (int turns = 0; !ended; turns += 50) {
    const auto pair = world.connect(*contexts.front(), *clients.back(), {.sni = "a"},
                                    {.capacity = 8, .slice = 8});
    async::Scope scope;
    scope.spawn(World::shake(*pair->server, &pair->server_result));
    scope.spawn(World::shake(*pair->client, &pair->client_result));
    for (int i = 0; i < turns; ++i) {
      const async::Executor::Use use(world.loop.executor());
      world.loop.turn({});
    }
    ended = scope.running() == 0;
    scope.request_stop();
    world.loop.run_until_idle();
    ASSERT_EQ(scope.running(), 0U);
    if (!ended) {
      EXPECT_FALSE(pair->server_result && pair->client_result);
    }
  }
}

TEST_F(TlsStreamTest, APeerThatGoesAwayDuringTheHandshakeIsAnEndOfStream) {
  serve("");
  auto [near, far] = io::testing::make_pipe(world.loop);
  const auto stream = TlsStream::server(std::move(near), *contexts.front(), world.source);
  far.reset();
  base::Result<void> result;
  async::Scope scope;
  scope.spawn(World::shake(*stream, &result));
  world.loop.run_until_idle();
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(ErrorCode::end_of_stream)) << base::describe(result.error());
}

TEST_F(TlsStreamTest, TellsAnOrderlyEndFromATruncation) {
  serve("");
  for (const bool orderly : {true, false}) {
    const auto pair = connect();
    ASSERT_TRUE(pair->client_result);
    std::array<char, 100> room{};
    ASSERT_FALSE(pair->client->try_read(room));  // the ticket
    if (orderly) {
      pair->server->shutdown_write();
    } else {
      auto plain = pair->server->take_plaintext();
      plain.stream->shutdown_write();
    }
    world.loop.run_until_idle();
    const auto end = pair->client->try_read(room);
    ASSERT_TRUE(end) << base::describe(end.error());
    EXPECT_EQ(*end, 0U);
    EXPECT_EQ(pair->client->truncated(), !orderly);
  }
}

TEST_F(TlsStreamTest, PutsHeadAndBodyIntoOneRecordAndOneWrite) {
  serve("");
  const auto pair = connect();
  std::array<char, 100> room{};
  const auto first = io::piece_of("ticket");  // which travels with the first bytes of data
  ASSERT_EQ(pair->server->try_write({&first, 1}), 6U);
  ASSERT_EQ(pair->client->try_read(room), 6U);
  std::array pieces{io::piece_of("head "), io::piece_of(""), io::piece_of("body")};
  EXPECT_EQ(pair->server->try_write(pieces), 9U);
  auto lower = pair->client->take_plaintext();
  std::array<char, 1000> raw{};
  // One TLS 1.3 record: 5 bytes of header, the content, its type and the tag of 16 bytes.
  EXPECT_EQ(lower.stream->try_read(raw), 5 + 9 + 1 + 16U);
}

TEST_F(TlsStreamTest, EndsInTheSameWriteWhenItIsToldThatThatIsTheLast) {
  for (const Version version : {Version::tls1_2, Version::tls1_3}) {
    serve("", {}, {.versions = {version}});
    const auto pair = connect();
    pair->server->end_with_next_write();
    EXPECT_EQ(world.pass(*pair->server, *pair->client, "all there is"), "all there is");
    std::array<char, 10> room{};
    EXPECT_EQ(pair->client->try_read(room), 0U);
    EXPECT_FALSE(pair->client->truncated());
    // The other side goes on until it ends, too; ours is not ended twice.
    EXPECT_EQ(world.pass(*pair->client, *pair->server, "late"), "late");
    auto lower = pair->client->take_plaintext();
    pair->server->shutdown_write();
    EXPECT_EQ(lower.stream->try_read(room), 0U);
  }
}

TEST_F(TlsStreamTest, SendsTheTicketSoonWhenNothingIsAskedFor) {
  serve("");
  const auto pair = connect();
  auto lower = pair->client->take_plaintext();
  std::array<char, 1000> raw{};
  EXPECT_FALSE(lower.stream->try_read(raw));
  world.clock.advance(std::chrono::seconds(1));
  world.loop.run_until_idle();
  EXPECT_GT(lower.stream->try_read(raw).value_or(0), 100U);
  EXPECT_FALSE(lower.stream->try_read(raw));
}

async::Task<void> send(io::Stream& stream, std::string_view bytes, bool* fine) {
  std::array pieces{io::piece_of(bytes.substr(0, 10)), io::piece_of(bytes.substr(10))};
  *fine = (co_await io::write_all(stream, pieces, base::kNoDeadline)).has_value();
  stream.shutdown_write();
}
async::Task<void> receive(io::Stream& stream, std::string* into) {
  std::vector<char> room(50'000);
  while (true) {
    const auto count = co_await io::read(stream, room, base::kNoDeadline);
    if (!count || *count == 0) co_return;
    into->append(room.data(), *count);
  }
}

TEST_F(TlsStreamTest, MovesMegabytesBothWaysAtOnceThroughANarrowPipe) {
  serve("");
  const auto pair = connect("example.com", {}, {.capacity = 10'000, .slice = 7'000});
  std::string there(3'000'000, ' ');
  base::fill_random(std::span(reinterpret_cast<std::uint8_t*>(there.data()), there.size()));
  const std::string back(there.rbegin(), there.rend());
  std::string arrived_there;
  std::string arrived_back;
  bool sent_there = false;
  bool sent_back = false;
  async::Scope scope;
  scope.spawn(send(*pair->client, there, &sent_there));
  scope.spawn(receive(*pair->server, &arrived_there));
  scope.spawn(send(*pair->server, back, &sent_back));
  scope.spawn(receive(*pair->client, &arrived_back));
  world.loop.run_until_idle();
  EXPECT_EQ(scope.running(), 0U);
  EXPECT_TRUE(sent_there && sent_back);
  EXPECT_TRUE(arrived_there == there);
  EXPECT_TRUE(arrived_back == back);
}

TEST_F(TlsStreamTest, IsNotReadyWhenOnlyPartOfARecordIsThere) {
  serve("");
  const auto pair = connect("example.com", {}, {.capacity = 100, .slice = 100});
  std::array<char, 100> room{};
  while (pair->client->try_read(room)) {
  }
  const std::string text(500, 'x');
  const iovec piece = io::piece_of(text);
  EXPECT_FALSE(pair->server->try_write(std::span(&piece, 1)));  // 100 bytes of a longer record
  EXPECT_TRUE(pair->client->may_be_ready(io::Direction::read));
  EXPECT_FALSE(pair->client->try_read(room));
  EXPECT_FALSE(pair->client->may_be_ready(io::Direction::read));
}

TEST_F(TlsStreamTest, KeepsBeingReadyWhileDecryptedBytesAreLeft) {
  serve("");
  const auto pair = connect();
  const iovec piece = io::piece_of("0123456789");
  ASSERT_TRUE(pair->server->try_write(std::span(&piece, 1)));
  std::array<char, 4> room{};
  EXPECT_EQ(pair->client->try_read(room), 4U);
  EXPECT_TRUE(pair->client->may_be_ready(io::Direction::read));
  EXPECT_EQ(pair->client->try_read(room), 4U);
  EXPECT_EQ(pair->client->try_read(room), 2U);
  EXPECT_FALSE(pair->client->may_be_ready(io::Direction::read));
}

async::Task<void> shake_and_say(TlsStream& stream, std::string_view text) {
  if (!co_await stream.handshake(base::kNoDeadline)) co_return;
  std::array pieces{io::piece_of(text)};
  static_cast<void>(co_await io::write_all(stream, pieces, base::kNoDeadline));
}

TEST_F(TlsStreamTest, LosesNothingThatCameTogetherWithTheEndOfTheHandshake) {
  serve("");
  for (const Version version : {Version::tls1_2, Version::tls1_3}) {
    clients.push_back(world.client_context({.versions = {version}}));
    const auto pair = world.connect(*contexts.front(), *clients.back(), {.sni = "a"});
    const std::string text(5000, 'x');
    async::Scope scope;
    scope.spawn(shake_and_say(*pair->client, text));
    scope.spawn(World::shake(*pair->server, &pair->server_result));
    world.loop.run_until_idle();
    ASSERT_TRUE(pair->server_result);
    EXPECT_TRUE(pair->server->may_be_ready(io::Direction::read));
    std::string arrived;
    std::array<char, 7> room{};
    while (const auto count = pair->server->try_read(room)) arrived.append(room.data(), *count);
    EXPECT_EQ(arrived, text);
    EXPECT_FALSE(pair->server->may_be_ready(io::Direction::read));
  }
}

TEST_F(TlsStreamTest, EndsAConnectionWhoseRecordsAreNotProtected) {
  serve("");
  const std::array attacks{std::string("\x15\3\3\0\2\2\x28", 7),  // an alert in the clear
                           std::string("\x17\3\3\0\2xx", 7),      // shorter than its tag
                           std::string("\x17\3\3\xff\xff", 5),    // longer than allowed
                           std::string("\x16\3\1\0\5hello", 10),  // a new handshake
                           std::string("\x17\3\3\0\x20", 5) + std::string(32, 'x'),
                           std::string("GET / HTTP/1.1\r\n\r\n")};
  for (const std::string& attack : attacks) {
    const auto pair = connect();
    ASSERT_TRUE(pair->server_result);
    const auto raw = pair->client->take_plaintext().stream;
    const iovec piece = io::piece_of(attack);
    ASSERT_TRUE(raw->try_write(std::span(&piece, 1)));
    std::array<char, 100> room{};
    const auto got = pair->server->try_read(room);
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(ErrorCode::tls)) << base::describe(got.error());
    EXPECT_THAT(std::string(pair->server->failure()), ::testing::StartsWith("SSL_read() failed ("));
    EXPECT_FALSE(pair->server->try_read(room));  // and so it stays
    EXPECT_FALSE(pair->server->try_write(std::span(&piece, 1)));
    std::array<char, 1000> answer{};
    EXPECT_GT(raw->try_read(answer).value_or(0), 5U);  // the ticket and an alert
  }
}

TEST_F(TlsStreamTest, WaitsForTheRestOfARecord) {
  serve("");
  const auto pair = connect();
  auto lower = pair->client->take_plaintext();
  const iovec half = io::piece_of(std::string_view("\x17\3\3\1\0 the first part", 18));
  ASSERT_TRUE(lower.stream->try_write(std::span(&half, 1)));
  std::array<char, 100> room{};
  EXPECT_TRUE(pair->server->try_read(room).error().is(ErrorCode::would_block));
  EXPECT_FALSE(pair->server->may_be_ready(io::Direction::read));
  lower.stream->shutdown_write();
  world.loop.run_until_idle();
  EXPECT_EQ(pair->server->try_read(room), 0U);
  EXPECT_TRUE(pair->server->truncated());
}

}  // namespace
}  // namespace tls
