// What a client's policy adds to verification: pins, revocation lists, a certificate of its own,
// versions and OpenSSL's commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/client_commands.h"
#include "tls/openssl.h"
#include "tls/private_key.h"
#include "tls/testing/world.h"

namespace tls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::issue;
using testing::Issued;
using ::testing::Not;
using testing::Pair;
using testing::World;
using Check = VerifyFailure::Check;

class Backend : public ::testing::Test {
 protected:
  void serve(const std::vector<const Issued*>& chain, const ServerPolicy& policy = {}) {
    Issued served = *chain.front();
    for (const Issued* above : std::span(chain).subspan(1))
      served.certificate += above->certificate;
    server = world.server_context(policy);
    world.source.servers[""] = {.context = server.get(), .certificates = {world.add(served)}};
  }
  std::unique_ptr<Pair> connect(const ClientPolicy& policy) {
    client = ClientContext::make(world.library, policy).value();
    return again();
  }
  std::unique_ptr<Pair> again() {
    auto pair = world.connect(*server, *client,
                              {.sni = "a.example", .verify_name = "a.example", .session_key = "x"});
    world.handshake(*pair);
    // Tickets come after the handshake.
    if (pair->client_result && pair->server_result) world.pass(*pair->server, *pair->client, "x");
    return pair;
  }
  ClientPolicy trusting(std::string_view revocations = {}) const {
    ClientPolicy policy{.trusted = TrustedCertificates::parse(root.certificate).value()};
    if (!revocations.empty()) policy.revocations = RevocationLists::parse(revocations).value();
    return policy;
  }
  static ClientPolicy pinning(const Issued& issued) {
    return {.verify = false, .pins = {parse_pin(pin_of(issued)).value()}};
  }
  static void expect(const Pair& pair, Check check, std::string_view words) {
    ASSERT_FALSE(pair.client_result);
    EXPECT_TRUE(pair.client_result.error().is(base::ErrorCode::untrusted));
    ASSERT_NE(pair.client->verify_failure(), nullptr);
    EXPECT_EQ(pair.client->verify_failure()->check, check) << pair.client->failure();
    EXPECT_THAT(std::string(pair.client->failure()), HasSubstr(std::string(words)));
  }

  World world;
  Issued root = issue({.names = {"Root"}, .authority = true});
  Issued middle = issue({.names = {"Middle"}, .issuer = &root, .authority = true});
  Issued leaf = issue({.names = {"a.example"}, .issuer = &root});
  Issued low = issue({.names = {"a.example"}, .issuer = &middle});
  std::unique_ptr<ServerContext> server;
  std::unique_ptr<ClientContext> client;
};

// -- pins

TEST(Pin, IsWrittenAsCurlWritesIt) {
  KeyId pin{};
  EXPECT_EQ(pin_text(pin), "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
  pin.back() = 0xff;
  EXPECT_EQ(parse_pin(pin_text(pin)), pin);
  EXPECT_EQ(parse_pin("SHA256//" + pin_text(pin).substr(8)), pin);
}

TEST(Pin, IsNothingElse) {
  const std::string good = pin_text({});
  for (const std::string& bad :
       {std::string(), std::string("sha256//"), good.substr(8), good + "=", good.substr(0, 51),
        "sha256//" + std::string(44, 'A'), "sha256//" + std::string(42, 'A') + "==",
        "sha256//" + std::string(42, 'A') + "!=", "sha256//" + std::string(40, 'A') + "====",
        "sha1//" + good.substr(8), good.substr(0, 20) + " " + good.substr(21)}) {
    EXPECT_FALSE(parse_pin(bad)) << bad;
  }
}

TEST_F(Backend, IsKnownByItsPinAlone) {
  const Issued own = issue({.names = {"elsewhere.example"}, .valid_until = std::chrono::hours(-1)});
  serve({&own});
  EXPECT_TRUE(connect(pinning(own))->client_result);
  expect(*connect(pinning(leaf)), Check::pin,
         "upstream SSL certificate pin mismatch: the key in \"CN=elsewhere.example\" is " +
             pin_of(own) + ", wanted " + pin_of(leaf) + "; ");
}

TEST_F(Backend, NeedsBothAPinAndATrustedCertificate) {
  serve({&leaf});
  ClientPolicy policy = trusting();
  policy.pins = {parse_pin(pin_of(root)).value(), parse_pin(pin_of(leaf)).value()};
  EXPECT_TRUE(connect(policy)->client_result);
  policy.pins.pop_back();
  expect(*connect(policy), Check::pin, "proxy_ssl_pin");
  const Issued stranger = issue({.names = {"a.example"}});
  serve({&stranger});
  policy.pins = {parse_pin(pin_of(stranger)).value()};
  expect(*connect(policy), Check::self_signed, "self-signed");
}

TEST_F(Backend, IsPinnedByItsOwnKeyAndNoAuthoritys) {
  serve({&low, &middle});
  ClientPolicy policy = trusting();
  policy.pins = {parse_pin(pin_of(middle)).value()};
  expect(*connect(policy), Check::pin, pin_of(low));
}

TEST_F(Backend, IsToldThatItsPinWasWrong) {
  serve({&leaf});
  const auto pair = connect(pinning(root));
  ASSERT_FALSE(pair->server_result);
  EXPECT_THAT(std::string(pair->server->failure()), HasSubstr("bad certificate"));
}

// -- revocation lists

TEST_F(Backend, IsRefusedWhenItsCertificateWasRevoked) {
  serve({&leaf});
  EXPECT_TRUE(connect(trusting(revoke(root)))->client_result);
  expect(
      *connect(trusting(revoke(root, {.revoked = {&leaf}}))), Check::revoked,
      "(23:certificate revoked) in \"CN=a.example\": \"CN=Root\" has revoked it (proxy_ssl_crl)");
}

TEST_F(Backend, NeedsAListOfEveryAuthorityInItsChain) {
  serve({&low, &middle});
  expect(
      *connect(trusting(revoke(root))), Check::revocation_list,
      "(3:unable to get certificate CRL) in \"CN=a.example\"; proxy_ssl_crl needs a valid list of "
      "\"CN=Middle\"");
  EXPECT_TRUE(connect(trusting(revoke(root) + revoke(middle)))->client_result);
  expect(*connect(trusting(revoke(root, {.revoked = {&middle}}) + revoke(middle))), Check::revoked,
         "in \"CN=Middle\"");
}

TEST_F(Backend, IsRefusedWhenTheListIsOutOfDate) {
  serve({&leaf});
  using std::chrono::hours;
  expect(*connect(trusting(revoke(root, {.valid_from = hours(-48), .valid_until = hours(-24)}))),
         Check::revocation_list, "(12:CRL has expired)");
  expect(*connect(trusting(revoke(root, {.valid_from = hours(12)}))), Check::revocation_list,
         "(11:CRL is not yet valid)");
}

TEST_F(Backend, IsRefusedWhenTheListIsSomebodyElses) {
  serve({&leaf});
  const Issued impostor = issue({.names = {"Root"}, .authority = true});
  expect(*connect(trusting(revoke(impostor))), Check::revocation_list, "CRL signature failure");
}

TEST_F(Backend, IsNotAskedForListsWithoutVerification) {
  serve({&leaf});
  ClientPolicy policy = trusting(revoke(root, {.revoked = {&leaf}}));
  policy.verify = false;
  EXPECT_TRUE(connect(policy)->client_result);
}

TEST_F(Backend, ListsOfOnePolicyAreNoneOfAnother) {
  serve({&leaf});
  const auto trusted = TrustedCertificates::parse(root.certificate).value();
  const ClientPolicy strict{
      .trusted = trusted,
      .revocations = RevocationLists::parse(revoke(root, {.revoked = {&leaf}})).value()};
  EXPECT_FALSE(connect(strict)->client_result);
  EXPECT_TRUE(connect({.trusted = trusted})->client_result);
  EXPECT_FALSE(connect(strict)->client_result);
}

TEST(RevocationListsOfAFile, AreReadAllOrNone) {
  const Issued one = issue({.names = {"One"}, .authority = true});
  const Issued two = issue({.names = {"Two"}, .authority = true});
  const std::string old =
      revoke(two, {.valid_from = std::chrono::hours(-48), .valid_until = std::chrono::hours(-24)});
  const auto lists = RevocationLists::parse("text\n" + revoke(one) + one.certificate + old);
  ASSERT_TRUE(lists) << lists.error();
  EXPECT_EQ((*lists)->lists().size(), 2U);
  EXPECT_THAT((*lists)->expired(std::chrono::system_clock::now()), ElementsAre("CN=Two"));
  EXPECT_EQ(RevocationLists::parse(one.certificate).error(),
            "it has no revocation list (no PEM block \"BEGIN X509 CRL\")");
  std::string damaged = old;
  damaged[damaged.size() / 2] = '!';
  EXPECT_THAT(RevocationLists::parse(revoke(one) + damaged).error(),
              HasSubstr("revocation list 2 of the file cannot be read"));
}

// -- a certificate of our own

class ClientCertificate : public Backend,
                          public ::testing::WithParamInterface<std::pair<KeyType, Version>> {
 protected:
  void ask() {
    SSL_CTX_set_verify(server->state()->context.get(),
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       [](int, X509_STORE_CTX*) { return 1; });
  }
};
INSTANTIATE_TEST_SUITE_P(KeysAndVersions, ClientCertificate,
                         ::testing::Values(std::pair(KeyType::ec, Version::tls1_2),
                                           std::pair(KeyType::ec, Version::tls1_3),
                                           std::pair(KeyType::rsa, Version::tls1_2),
                                           std::pair(KeyType::rsa, Version::tls1_3),
                                           std::pair(KeyType::ed25519, Version::tls1_3)));

TEST_P(ClientCertificate, IsShownWithASignatureOfTheSigners) {
  serve({&leaf}, {.versions = {GetParam().second}});
  ask();
  ClientPolicy policy = trusting();
  policy.certificate = world.add(issue({.key_type = GetParam().first}));
  const auto pair = connect(policy);
  EXPECT_TRUE(pair->client_result) << pair->client->failure();
  EXPECT_TRUE(pair->server_result) << pair->server->failure();
  EXPECT_FALSE(pair->client->certificate_missed());
}

TEST_P(ClientCertificate, IsMissedByTheBackendAndTheErrorSaysSo) {
  serve({&leaf}, {.versions = {GetParam().second}});
  ask();
  const auto pair = connect(trusting());
  EXPECT_FALSE(pair->server_result);
  EXPECT_TRUE(pair->client->certificate_missed());
  std::array<char, 100> room{};
  static_cast<void>(pair->client->try_read(room));  // TLS 1.3: the alert comes afterwards
  EXPECT_THAT(std::string(pair->client->failure()),
              HasSubstr("set proxy_ssl_certificate and proxy_ssl_certificate_key"));
}

// -- the rest of the policy

TEST_F(Backend, TooLongAChainNamesTheDirective) {
  serve({&low, &middle});
  ClientPolicy policy = trusting();
  policy.verify_depth = 0;
  expect(*connect(policy), Check::too_long, "proxy_ssl_verify_depth");
}

TEST_F(Backend, WithoutACommonVersionNamesTheDirective) {
  serve({&leaf}, {.versions = {Version::tls1_3}});
  ClientPolicy policy = trusting();
  policy.versions = {Version::tls1_2};
  const auto pair = connect(policy);
  ASSERT_FALSE(pair->client_result);
  EXPECT_THAT(std::string(pair->client->failure()), HasSubstr("see proxy_ssl_protocols"));
}

TEST_F(Backend, AgreesOnAHybridGroupWhereOpenSslHasOne) {
  const SslCtxPtr tried(SSL_CTX_new(TLS_client_method()));
  const bool has_hybrid = SSL_CTX_set1_groups_list(tried.get(), "X25519MLKEM768") == 1;
  ERR_clear_error();
  serve({&leaf});
  const auto pair = connect(trusting());
  ASSERT_TRUE(pair->client_result);
  EXPECT_EQ(pair->server->curve(), has_hybrid ? "X25519MLKEM768" : "X25519");
}

TEST_F(Backend, IsSpokenToAsTheCommandsSay) {
  serve({&leaf});
  ClientPolicy policy = trusting();
  policy.commands = {{"Groups", "P-384:P-256"},
                     {"MaxProtocol", "TLSv1.2"},
                     {"CipherString", "ECDHE-ECDSA-AES256-GCM-SHA384"}};
  const auto pair = connect(policy);
  ASSERT_TRUE(pair->client_result) << pair->client->failure();
  EXPECT_EQ(pair->client->protocol(), "TLSv1.2");
  EXPECT_EQ(pair->client->cipher(), "ECDHE-ECDSA-AES256-GCM-SHA384");
  EXPECT_EQ(pair->server->curve(), "secp384r1");
}

TEST(ConfCommands, AreRefusedWhereTheyWouldUndoVerification) {
  const auto problem = [](std::string name, std::string value) {
    return problem_of(ConfCommand{std::move(name), std::move(value)});
  };
  EXPECT_EQ(problem("Groups", "X25519:P-256"), "");
  EXPECT_EQ(problem("Options", "-SessionTicket"), "");
  EXPECT_EQ(problem("verifymode", "Peer"),
            "SSL_CONF_cmd(\"verifymode\", \"Peer\") failed (it is the business of "
            "proxy_ssl_verify)");
  EXPECT_THAT(problem("VerifyCAFile", "/x"), HasSubstr("proxy_ssl_trusted_certificate"));
  EXPECT_THAT(problem("PrivateKey", "/x"), HasSubstr("proxy_ssl_certificate_key"));
  EXPECT_THAT(problem("CipherString", "ALL:aNULL:@SECLEVEL=0"), HasSubstr("shows no certificate"));
  EXPECT_THAT(problem("CipherString", "eNULL:@SECLEVEL=0"), HasSubstr("does not encrypt"));
  EXPECT_THAT(problem("NoSuchThing", "1"), HasSubstr("no such command for clients"));
  EXPECT_THAT(problem("Groups", "P-1"), HasSubstr("SSL_CONF_cmd(\"Groups\", \"P-1\") failed"));
}

TEST(ConfCommands, LeaveCompressionAndRenegotiationOff) {
  const SslCtxPtr tried(SSL_CTX_new(TLS_client_method()));
  const std::vector<ConfCommand> commands{{"Options", "Compression,-NoRenegotiation"}};
  EXPECT_EQ(apply_commands(tried.get(), commands), "");
  EXPECT_NE(SSL_CTX_get_options(tried.get()) & SSL_OP_NO_COMPRESSION, 0U);
  EXPECT_NE(SSL_CTX_get_options(tried.get()) & SSL_OP_NO_RENEGOTIATION, 0U);
}

TEST(ClientPolicy, DiffersByEverythingThatDecidesWhoIsSpokenTo) {
  const Issued root = issue({.names = {"Root"}, .authority = true});
  const Issued leaf = issue({.issuer = &root});
  const std::string list = revoke(root);
  const ClientPolicy plain{.verify = false};
  const auto with = [&](auto change) {
    ClientPolicy policy = plain;
    change(policy);
    return policy;
  };
  const auto lists = [&](ClientPolicy& policy) {
    policy.revocations = RevocationLists::parse(list).value();
  };
  EXPECT_EQ(plain, with([](ClientPolicy&) {}));
  EXPECT_EQ(with(lists), with(lists)) << "by what they say, not by who read them";
  const auto differs = [&](auto change) { EXPECT_NE(plain, with(change)); };
  differs(lists);
  differs([&](ClientPolicy& policy) { policy.pins = {parse_pin(pin_of(leaf)).value()}; });
  differs([](ClientPolicy& policy) { policy.commands = {{"Groups", "P-256"}}; });
  differs([](ClientPolicy& policy) { policy.ciphers = "HIGH"; });
  differs([](ClientPolicy& policy) { policy.versions = {Version::tls1_3}; });
  differs([](ClientPolicy& policy) { policy.session_reuse = false; });
  differs([](ClientPolicy& policy) { policy.verify_depth = 9; });
  differs([&](ClientPolicy& policy) {
    policy.certificate = Certificate::parse(leaf.certificate).value();
  });
}

TEST_F(Backend, ResumesSessionsOnlyWhenThePolicySaysSo) {
  serve({&leaf});
  for (const bool reuse : {true, false}) {
    ClientPolicy policy = trusting();
    policy.session_reuse = reuse;
    ASSERT_TRUE(connect(policy)->client_result);
    const auto second = again();
    ASSERT_TRUE(second->client_result);
    EXPECT_EQ(second->client->resumed(), reuse);
  }
}

TEST_F(Backend, IsVerifiedAgainWhenItsCertificateHasExpiredSince) {
  serve({&leaf});
  for (const bool verify : {true, false}) {
    ClientPolicy policy = trusting();
    policy.verify = verify;
    world.clock.set_wall(std::chrono::system_clock::now());
    ASSERT_TRUE(connect(policy)->client_result);
    EXPECT_TRUE(again()->client->resumed());
    world.clock.set_wall(std::chrono::system_clock::now() + std::chrono::hours(25));
    EXPECT_EQ(again()->client->resumed(), !verify);
  }
}

}  // namespace
}  // namespace tls
