// Keys that are somewhere else: what OpenSSL can and cannot do with them, and signers that pause.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/openssl.h"
#include "tls/testing/world.h"

namespace tls {
namespace {

using testing::issue;
using testing::World;

class ProviderKey : public ::testing::TestWithParam<KeyType> {
 protected:
  World world;
  CertificatePtr certificate = world.add(issue({.key_type = GetParam()}));
  std::shared_ptr<const ParsedCertificate> parsed = world.library.state().parsed(certificate);
};
INSTANTIATE_TEST_SUITE_P(Types, ProviderKey,
                         ::testing::Values(KeyType::rsa, KeyType::ec, KeyType::ed25519));

TEST_P(ProviderKey, BelongsToItsCertificate) {
  EXPECT_EQ(X509_check_private_key(parsed->leaf.get(), parsed->key.get()), 1);
  const auto other = world.library.state().parsed(world.add(issue({.key_type = GetParam()})));
  EXPECT_EQ(X509_check_private_key(parsed->leaf.get(), other->key.get()), 0);
  ERR_clear_error();
}

TEST_P(ProviderKey, CannotBeExported) {
  OSSL_PARAM* params = nullptr;
  EXPECT_LE(EVP_PKEY_todata(parsed->key.get(), EVP_PKEY_KEYPAIR, &params), 0);
  EXPECT_EQ(params, nullptr);
  const BioPtr bio(BIO_new(BIO_s_mem()));
  EXPECT_EQ(
      PEM_write_bio_PrivateKey(bio.get(), parsed->key.get(), nullptr, nullptr, 0, nullptr, nullptr),
      0);
  EXPECT_LE(i2d_PrivateKey(parsed->key.get(), nullptr), 0);
  BIGNUM* secret = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(parsed->key.get(), "d", &secret), 0);
  EXPECT_EQ(EVP_PKEY_get_bn_param(parsed->key.get(), "priv", &secret), 0);
  std::array<unsigned char, 100> raw{};
  std::size_t size = raw.size();
  EXPECT_EQ(EVP_PKEY_get_raw_private_key(parsed->key.get(), raw.data(), &size), 0);
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(parsed->leaf.get()), parsed->key.get()), 1);
  ERR_clear_error();
}

TEST_P(ProviderKey, IsParsedOncePerWorkerAndForgottenWithItsCertificate) {
  EXPECT_EQ(world.library.state().parsed(certificate), parsed);
  const std::weak_ptr<const ParsedCertificate> watched = parsed;
  parsed.reset();
  certificate.reset();
  const auto other = issue({.key_type = KeyType::ec});
  std::vector<CertificatePtr> many;
  while (many.size() < 100) {
    many.push_back(Certificate::parse(other.certificate).value());
    EXPECT_NE(world.library.state().parsed(many.back()), nullptr);
  }
  EXPECT_TRUE(watched.expired());
}

PrivateKeyPtr key_of(const testing::Issued& issued) {
  return PrivateKey::parse(issued.private_key).value();
}

TEST(InProcessSigner, ForgetsAKeyWithTheLastThatHoldsIt) {
  InProcessSigner signer;
  const std::vector<PrivateKeyPtr> both{key_of(issue()), key_of(issue())};
  auto old = signer.hold(both);
  auto next = signer.hold(std::span(both).last(1));
  EXPECT_EQ(signer.size(), 2U);
  old.reset();
  EXPECT_EQ(signer.size(), 1U);
  next.reset();
  EXPECT_EQ(signer.size(), 0U);
}

TEST(InProcessSigner, ForgetsWhatAThreadHasPreparedToo) {
  InProcessSigner signer;
  const testing::Issued issued = issue();
  const std::vector<PrivateKeyPtr> key{key_of(issued)};
  auto hold = signer.hold(key);
  const KeyId id = signer.add(issued.private_key).value();
  std::array<std::uint8_t, 1024> room{};
  const std::array<std::uint8_t, 3> message{1, 2, 3};
  const auto scheme = SignatureScheme::ecdsa_secp256r1_sha256;
  EXPECT_TRUE(signer.sign(id, scheme, message, room));
  hold.reset();
  EXPECT_TRUE(signer.sign(id, scheme, message, room)) << "add() is for good";
  InProcessSigner other;
  auto brief = other.hold(key);
  EXPECT_TRUE(other.sign(id, scheme, message, room));
  brief.reset();
  const auto refused = other.sign(id, scheme, message, room);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::ErrorCode::not_found);
}

TEST(InProcessSigner, AHoldMayOutliveIt) {
  tls::InProcessSigner::Hold hold;
  {
    InProcessSigner signer;
    hold = signer.hold(std::vector{key_of(issue())});
  }
  hold.reset();
}

TEST(InProcessSigner, RefusesUnknownKeysAndSchemesThatDoNotFit) {
  InProcessSigner signer;
  const auto issued = issue();
  const KeyId key = signer.add(issued.private_key).value();
  std::array<std::uint8_t, 512> signature{};
  const std::array<std::uint8_t, 3> message{1, 2, 3};
  EXPECT_TRUE(signer.sign(key, SignatureScheme::ecdsa_secp256r1_sha256, message, signature));
  EXPECT_EQ(signer.sign(key, SignatureScheme::rsa_pss_rsae_sha256, message, signature).error().code,
            base::ErrorCode::invalid);
  EXPECT_EQ(signer
                .sign(key, SignatureScheme::ecdsa_secp256r1_sha256, message,
                      std::span(signature).first(10))
                .error()
                .code,
            base::ErrorCode::too_large);
  InProcessSigner other;
  EXPECT_EQ(
      other.sign(key, SignatureScheme::ecdsa_secp256r1_sha256, message, signature).error().code,
      base::ErrorCode::not_found);
  EXPECT_FALSE(signer.add(issued.certificate));
}

/// Answers when the test says so, as the key process will.
class SlowSigner final : public Signer {
 public:
  InProcessSigner keys;
  HandshakePause* waiting = nullptr;
  bool answered = false;
  int gave_up = 0;

  base::Result<std::size_t> sign(const KeyId& key, SignatureScheme scheme,
                                 std::span<const std::uint8_t> message,
                                 std::span<std::uint8_t> signature) noexcept override {
    waiting = HandshakePause::current();
    while (waiting != nullptr && !answered && !waiting->cancelled()) waiting->pause();
    const bool cancelled = waiting != nullptr && waiting->cancelled();
    waiting = nullptr;
    if (cancelled) {
      ++gave_up;
      return base::fail(base::ErrorCode::cancelled);
    }
    return keys.sign(key, scheme, message, signature);
  }
  bool may_pause() const noexcept override { return true; }
};

class PausingSigner : public ::testing::TestWithParam<Version> {
 protected:
  PausingSigner() {
    const auto issued = issue();
    EXPECT_TRUE(signer.keys.add(issued.private_key));
    certificate = Certificate::parse(issued.certificate).value();
    context = ServerContext::make(library, {}, world.ticket_keys).value();
    client = ClientContext::make(library, {.verify = false, .versions = {GetParam()}}).value();
    world.source.servers[""] = {.context = context.get(), .certificates = {certificate}};
    pair = world.connect(*context, *client, {.sni = "a"});
    scope.spawn(World::shake(*pair->server, &pair->server_result));
    scope.spawn(World::shake(*pair->client, &pair->client_result));
    world.loop.run_until_idle();
  }

  World world;
  SlowSigner signer;
  Library library{signer};
  CertificatePtr certificate;
  std::unique_ptr<ServerContext> context;
  std::unique_ptr<ClientContext> client;
  std::unique_ptr<testing::Pair> pair;
  async::Scope scope;
};
INSTANTIATE_TEST_SUITE_P(Versions, PausingSigner,
                         ::testing::Values(Version::tls1_2, Version::tls1_3));

TEST_P(PausingSigner, ResumesTheHandshakeWhenItsAnswerIsThere) {
  ASSERT_NE(signer.waiting, nullptr);
  signer.waiting->wake();  // in vain: it goes on waiting
  world.loop.run_until_idle();
  ASSERT_NE(signer.waiting, nullptr);
  signer.answered = true;
  signer.waiting->wake();
  world.loop.run_until_idle();
  EXPECT_EQ(scope.running(), 0U);
  EXPECT_TRUE(pair->server_result) << pair->server->failure();
  EXPECT_EQ(world.pass(*pair->client, *pair->server, "question"), "question");
}

TEST_P(PausingSigner, IsToldWhenTheHandshakeIsCancelled) {
  ASSERT_NE(signer.waiting, nullptr);
  scope.request_stop();
  world.loop.run_until_idle();
  EXPECT_EQ(scope.running(), 0U);
  EXPECT_EQ(signer.gave_up, 1);
  EXPECT_TRUE(pair->server_result.error().is(base::ErrorCode::cancelled));
}

// The client's side: the backend is verified inside the job, too.
TEST(PausingSignerOfAClient, ResumesTheHandshakeWhenItsAnswerIsThere) {
  World world;
  const auto root = issue({.names = {"Root"}, .key_type = KeyType::rsa, .authority = true});
  const auto leaf = issue({.names = {"a.example"}, .key_type = KeyType::rsa, .issuer = &root});
  const auto ours = issue();
  const auto context = world.server_context();
  SSL_CTX_set_verify(context->state()->context.get(),
                     SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     [](int, X509_STORE_CTX*) { return 1; });
  world.source.servers[""] = {.context = context.get(), .certificates = {world.add(leaf)}};
  SlowSigner signer;
  ASSERT_TRUE(signer.keys.add(ours.private_key));
  Library library{signer};
  for (const Version version : {Version::tls1_2, Version::tls1_3}) {
    signer.answered = false;
    const auto client =
        ClientContext::make(library,
                            {.trusted = TrustedCertificates::parse(root.certificate).value(),
                             .versions = {version},
                             .certificate = Certificate::parse(ours.certificate).value()})
            .value();
    const auto pair =
        world.connect(*context, *client, {.sni = "a.example", .verify_name = "a.example"});
    async::Scope scope;
    scope.spawn(World::shake(*pair->server, &pair->server_result));
    scope.spawn(World::shake(*pair->client, &pair->client_result));
    world.loop.run_until_idle();
    ASSERT_NE(signer.waiting, nullptr);
    EXPECT_EQ(scope.running(), 2U);
    signer.answered = true;
    signer.waiting->wake();
    world.loop.run_until_idle();
    EXPECT_EQ(scope.running(), 0U);
    EXPECT_TRUE(pair->client_result) << pair->client->failure();
    EXPECT_TRUE(pair->server_result) << pair->server->failure();
  }
}

}  // namespace
}  // namespace tls
