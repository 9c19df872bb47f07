// Resumption: TicketKeys, what sessions are bound to, what clients remember.
#include <gtest/gtest.h>

#include "tls/testing/world.h"

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

}  // namespace
}  // namespace tls
