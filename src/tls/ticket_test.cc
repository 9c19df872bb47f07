// Resumption: TicketKeys, what sessions are bound to, what clients remember.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tls/testing/world.h"
#include "tls/ticket_key_file.h"

namespace tls {
namespace {

using testing::Issued;
using testing::Pair;
using testing::World;

class Resumption : public ::testing::TestWithParam<Version> {
 protected:
  Resumption() { add_server("", {}); }

  ServerContext& add_server(std::string name, const ServerPolicy& policy) {
    contexts.push_back(world.server_context(policy));
    world.source.servers[std::move(name)] = {.context = contexts.back().get(),
                                             .certificates = {certificate}};
    return *contexts.back();
  }
  /// One connection to the endpoint "e"; true when it was resumed.
  bool resumes(const std::string& sni = "a.example") {
    auto pair = world.connect(*contexts.front(), *client, {.sni = sni, .session_key = "e"});
    world.handshake(*pair);
    EXPECT_TRUE(pair->server_result) << pair->server->failure();
    // TLS 1.3 tickets come after the handshake.
    EXPECT_EQ(world.pass(*pair->server, *pair->client, "x"), "x");
    EXPECT_EQ(pair->server->resumed(), pair->client->resumed());
    return pair->server->resumed();
  }

  World world;
  CertificatePtr certificate = world.add(testing::issue());
  std::vector<std::unique_ptr<ServerContext>> contexts;
  std::unique_ptr<ClientContext> client = world.client_context({.versions = {GetParam()}});
};
INSTANTIATE_TEST_SUITE_P(Versions, Resumption, ::testing::Values(Version::tls1_2, Version::tls1_3),
                         [](const auto& version) {
                           return version.param == Version::tls1_2 ? "Tls12" : "Tls13";
                         });

TEST_P(Resumption, TheSecondConnectionResumes) {
  EXPECT_FALSE(resumes());
  EXPECT_TRUE(resumes());
  EXPECT_TRUE(resumes());
}

TEST_P(Resumption, SessionsAreKeptPerName) {
  EXPECT_FALSE(resumes("a.example"));
  EXPECT_FALSE(resumes("b.example"));
  EXPECT_TRUE(resumes("a.example"));
}

TEST_P(Resumption, SurvivesARotationOfTheKeysAndIsThenRenewed) {
  EXPECT_FALSE(resumes());
  world.clock.advance(TicketKeys::kRotation + std::chrono::minutes(1));
  EXPECT_TRUE(resumes());
  // The ticket was renewed under the new key: it outlives the first key.
  world.clock.advance(TicketKeys::kRotation - std::chrono::minutes(2));
  EXPECT_TRUE(resumes());
}

TEST_P(Resumption, EndsWhenTheKeyIsGone) {
  EXPECT_FALSE(resumes());
  world.clock.advance(TicketKeys::kRotation + std::chrono::hours(1) + std::chrono::seconds(1));
  EXPECT_FALSE(resumes());
}

TEST_P(Resumption, WorksAtAnotherWorkerAndAfterAReload) {
  EXPECT_FALSE(resumes());
  contexts.clear();
  {
    Library other(world.signer);
    const auto context = ServerContext::make(other, {}, world.ticket_keys).value();
    world.source.servers[""].context = context.get();
    auto pair = world.connect(*context, *client, {.sni = "a.example", .session_key = "e"});
    world.handshake(*pair);
    EXPECT_TRUE(pair->server->resumed());
  }
}

TEST_P(Resumption, WorksAtAnotherProcessThatHasTheSecret) {
  TicketSecret here = TicketSecret::make(world.clock.now());
  const TicketSecret there = *TicketSecret::take(*here.hand_over(), world.clock.now());
  world.ticket_keys =
      std::make_shared<TicketKeys>(world.clock, std::chrono::hours(1), std::move(here));
  contexts.clear();
  add_server("", {});
  EXPECT_FALSE(resumes());
  // It starts later, when the key of the ticket is not the newest any more.
  world.clock.advance(TicketKeys::kRotation + std::chrono::minutes(1));
  world.ticket_keys =
      std::make_shared<TicketKeys>(world.clock, std::chrono::hours(1),
                                   *TicketSecret::take(*there.hand_over(), world.clock.now()));
  contexts.clear();
  add_server("", {});
  EXPECT_TRUE(resumes());
}

TEST_P(Resumption, IsRefusedAtAServerWithAnotherPolicy) {
  add_server("b.example", {.session_scope = "asks for client certificates"});
  EXPECT_FALSE(resumes("a.example"));
  EXPECT_TRUE(resumes("a.example"));
  // The ticket of the default server, shown to the server b.example.
  world.source.servers["a.example"] = world.source.servers["b.example"];
  EXPECT_FALSE(resumes("a.example"));
  EXPECT_TRUE(resumes("a.example"));
}

TEST_P(Resumption, DoesNotHappenWithoutTickets) {
  add_server("", {.tickets = false});
  EXPECT_FALSE(resumes());
  EXPECT_FALSE(resumes());
}

TicketKey key_of(char mark, std::size_t size) {
  return read_ticket_key(std::string(size, mark)).value();
}

TEST_P(Resumption, WorksBetweenProgramsThatShareAFileOfKeys) {
  for (const std::size_t size : {48U, 80U}) {
    world.ticket_keys = nullptr;
    add_server("", {.ticket_keys = {key_of('a', size)}});
    EXPECT_FALSE(resumes());
    Library other(world.signer);
    const auto context =
        ServerContext::make(other, {.ticket_keys = {key_of('b', 80), key_of('a', size)}}, nullptr)
            .value();
    world.source.servers[""].context = context.get();
    auto pair = world.connect(*context, *client, {.sni = "a.example", .session_key = "e"});
    world.handshake(*pair);
    EXPECT_TRUE(pair->server->resumed()) << size;
    client = world.client_context({.versions = {GetParam()}});
  }
}

TEST_P(Resumption, MakesTicketsWithTheFirstKeyOfTheFiles) {
  world.ticket_keys = nullptr;
  add_server("", {.ticket_keys = {key_of('b', 80), key_of('a', 80)}});
  EXPECT_FALSE(resumes());
  add_server("", {.ticket_keys = {key_of('a', 80)}});
  EXPECT_FALSE(resumes());
}

// A suite that only OpenSSL protects records with: its own tickets, then.
TEST(Ticket, IsOpenSslsWhereItKeepsTheConnection) {
  World world;
  const auto context = world.server_context({.suites = "TLS_AES_128_CCM_SHA256"});
  world.source.servers[""] = {.context = context.get(),
                              .certificates = {world.add(testing::issue())}};
  const auto client =
      world.client_context({.versions = {Version::tls1_3}, .suites = "TLS_AES_128_CCM_SHA256"});
  for (const bool resumed : {false, true, true}) {
    auto pair = world.connect(*context, *client, {.sni = "a.example", .session_key = "e"});
    world.handshake(*pair);
    ASSERT_TRUE(pair->server_result) << pair->server->failure();
    EXPECT_EQ(pair->server->cipher(), "TLS_AES_128_CCM_SHA256");
    EXPECT_EQ(pair->server->resumed(), resumed);
    EXPECT_EQ(world.pass(*pair->server, *pair->client, "x"), "x");
    EXPECT_EQ(world.pass(*pair->client, *pair->server, "y"), "y");
  }
}

TEST_P(Resumption, WorksByTheCacheWhereThereAreNoTickets) {
  add_server("", {.tickets = false,
                  .sessions = {.mode = SessionStore::Mode::shared, .capacity = 100'000}});
  EXPECT_FALSE(resumes());
  EXPECT_TRUE(resumes());
  EXPECT_TRUE(resumes());
}

TEST_P(Resumption, WorksByTheCacheOfAnotherWorker) {
  const ServerPolicy policy{
      .tickets = false,
      .sessions = {.mode = SessionStore::Mode::shared, .name = "SSL", .capacity = 100'000}};
  SessionCaches caches;
  auto context = ServerContext::make(world.library, policy, nullptr, &caches).value();
  world.source.servers[""].context = context.get();
  EXPECT_FALSE(resumes());
  Library other(world.signer);
  auto second = ServerContext::make(other, policy, nullptr, &caches).value();
  world.source.servers[""].context = second.get();
  auto pair = world.connect(*second, *client, {.sni = "a.example", .session_key = "e"});
  world.handshake(*pair);
  EXPECT_TRUE(pair->server->resumed());
}

TEST_P(Resumption, KeepsNothingInTheCacheOfAClientWithATicket) {
  SessionCaches caches;
  const auto cache = caches.get("SSL", 100'000);
  const auto context =
      ServerContext::make(
          world.library,
          {.sessions = {.mode = SessionStore::Mode::shared, .name = "SSL", .capacity = 100'000}},
          world.ticket_keys, &caches)
          .value();
  contexts.clear();
  world.source.servers[""].context = context.get();
  auto pair = world.connect(*context, *client, {.sni = "a.example", .session_key = "e"});
  world.handshake(*pair);
  ASSERT_TRUE(pair->server_result);
  EXPECT_EQ(cache->size(), 0U);
}

TEST_P(Resumption, EndsWithAConnectionWhoseRecordsWereForged) {
  SessionCaches caches;
  const SessionStore store{.mode = SessionStore::Mode::shared, .name = "SSL", .capacity = 100'000};
  const auto context =
      ServerContext::make(world.library, {.tickets = false, .sessions = store}, nullptr, &caches)
          .value();
  contexts.clear();
  world.source.servers[""].context = context.get();
  auto pair = world.connect(*context, *client, {.sni = "a.example", .session_key = "e"});
  world.handshake(*pair);
  ASSERT_TRUE(pair->server_result);
  EXPECT_EQ(caches.get("SSL", 100'000)->size(), 1U);
  auto raw = pair->client->take_plaintext().stream;
  const auto forged = io::piece_of(std::string_view("\x17\x03\x03\0\x20", 5));
  const std::string body(32, 'x');
  const std::array pieces{forged, io::piece_of(body)};
  ASSERT_EQ(raw->try_write(pieces), 37U);
  std::array<char, 100> room{};
  EXPECT_FALSE(pair->server->try_read(room));
  pair->server.reset();
  EXPECT_EQ(caches.get("SSL", 100'000)->size(), 0U);
}

TEST_P(Resumption, IsRefusedAtAServerWithAnotherPolicyOfTheSameCache) {
  SessionCaches caches;
  const SessionStore store{.mode = SessionStore::Mode::shared, .name = "SSL", .capacity = 100'000};
  const auto make = [&](std::string scope) {
    return ServerContext::make(
               world.library,
               {.tickets = false, .sessions = store, .session_scope = std::move(scope)}, nullptr,
               &caches)
        .value();
  };
  const auto one = make("one");
  const auto other = make("other");
  contexts.front() = make("one");
  world.source.servers[""].context = one.get();
  EXPECT_FALSE(resumes());
  world.source.servers[""].context = other.get();
  EXPECT_FALSE(resumes());
  world.source.servers[""].context = other.get();
  EXPECT_TRUE(resumes());
}

TEST(TicketKeys, KeepsAKeyAsLongAsItsTicketsMayLive) {
  io::testing::FakeClock clock;
  TicketKeys keys(clock, std::chrono::hours(3));
  TicketKeys::Copy copy;
  keys.refresh(copy);
  ASSERT_EQ(copy.keys.size(), 1U);
  const auto first = copy.keys.front().name;
  for (int hours = 1; hours <= 6; ++hours) {
    clock.advance(TicketKeys::kRotation);
    keys.refresh(copy);
    EXPECT_NE(copy.keys.front().name, first);
    EXPECT_EQ(copy.keys.back().name == first, hours <= 4) << hours;
  }
  EXPECT_EQ(copy.keys.size(), 5U);
}

std::vector<std::array<std::uint8_t, 16>> names_of(TicketKeys& keys) {
  TicketKeys::Copy copy;
  keys.refresh(copy);
  std::vector<std::array<std::uint8_t, 16>> names;
  for (const TicketKey& key : copy.keys) names.push_back(key.name);
  return names;
}

TEST(TicketKeys, OfOneSecretAgreeAtAnyTime) {
  io::testing::FakeClock clock;
  clock.advance(std::chrono::minutes(20));
  TicketSecret secret = TicketSecret::make(clock.now());
  TicketKeys first(clock, std::chrono::hours(2),
                   *TicketSecret::take(*secret.hand_over(), clock.now()));
  for (int half_hours = 0; half_hours < 12; ++half_hours) {
    TicketKeys later(clock, std::chrono::hours(2),
                     *TicketSecret::take(*secret.hand_over(), clock.now()));
    EXPECT_EQ(names_of(first), names_of(later)) << half_hours;
    clock.advance(std::chrono::minutes(30));
  }
}

TEST(TicketSecret, MakesOneKeyForEachPeriod) {
  const io::testing::FakeClock clock;
  const TicketSecret secret = TicketSecret::make(clock.now());
  const TicketKey one = secret.key(secret.first());
  const TicketKey next = secret.key(secret.first() + 1);
  EXPECT_EQ(one.name, secret.key(secret.first()).name);
  EXPECT_EQ(one.cipher_key, secret.key(secret.first()).cipher_key);
  EXPECT_NE(one.name, next.name);
  EXPECT_NE(one.cipher_key, next.cipher_key);
  EXPECT_NE(one.mac_key, next.mac_key);
  EXPECT_NE(one.cipher_key, one.mac_key);
  EXPECT_NE(one.name, TicketSecret::make(clock.now()).key(secret.first()).name);
  EXPECT_EQ(one.made, TicketSecret::start_of(TicketSecret::period_of(clock.now())));
}

TEST(TicketSecret, GoesForwardOnly) {
  io::testing::FakeClock clock;
  TicketSecret secret = TicketSecret::make(clock.now());
  const auto first = secret.first();
  const TicketKey before = secret.key(first + 3);
  secret.forget_before(first + 3);
  EXPECT_EQ(secret.first(), first + 3);
  EXPECT_EQ(secret.key(first + 3).name, before.name);
  secret.forget_before(first);
  EXPECT_EQ(secret.first(), first + 3);
  EXPECT_DEATH(static_cast<void>(secret.key(first + 2)), "");
  // What tickets of today may be under stays.
  clock.advance(std::chrono::hours(40));
  secret.forget_expired(clock.now());
  EXPECT_EQ(secret.first(), TicketSecret::period_of(clock.now()) - 25);
}

TEST(TicketSecret, IsWipedFromWhatHandedItOver) {
  const io::testing::FakeClock clock;
  const TicketSecret secret = TicketSecret::make(clock.now());
  base::Fd file = *secret.hand_over();
  const base::Fd same(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
  std::array<char, 48> bytes{};
  ASSERT_EQ(::pread(same.get(), bytes.data(), bytes.size(), 0), 48);
  EXPECT_NE(bytes, (std::array<char, 48>{}));
  const auto taken = TicketSecret::take(std::move(file), clock.now());
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->key(taken->first()).name, secret.key(secret.first()).name);
  ASSERT_EQ(::pread(same.get(), bytes.data(), bytes.size(), 0), 48);
  EXPECT_EQ(bytes, (std::array<char, 48>{}));
  EXPECT_NE(::ftruncate(same.get(), 0), 0);  // sealed
  EXPECT_FALSE(TicketSecret::take(base::Fd(::dup(same.get())), clock.now()));  // only once
}

TEST(TicketSecret, IsNotTakenFromSomethingElse) {
  io::testing::FakeClock clock;
  EXPECT_FALSE(TicketSecret::take(base::Fd(), clock.now()));
  EXPECT_FALSE(TicketSecret::take(base::Fd(::dup(STDERR_FILENO)), clock.now()));
  EXPECT_FALSE(TicketSecret::take(base::Fd(::memfd_create("empty", MFD_CLOEXEC)), clock.now()));
  const TicketSecret secret = TicketSecret::make(clock.now());
  // From the future, and of another start of the machine.
  EXPECT_FALSE(TicketSecret::take(*secret.hand_over(), clock.now() - std::chrono::hours(2)));
  EXPECT_FALSE(TicketSecret::take(*secret.hand_over(), clock.now() + std::chrono::hours(200)));
}

}  // namespace
}  // namespace tls
