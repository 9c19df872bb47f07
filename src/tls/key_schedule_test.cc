#include "tls/key_schedule.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include "base/random.h"
#include "tls/testing/hex.h"
#include "tls/testing/world.h"

namespace tls {
namespace {

using testing::from_hex;

using Bytes = std::vector<std::uint8_t>;
using Hash = KeySchedule::Hash;

Bytes random_bytes(std::size_t size) {
  Bytes bytes(size);
  base::fill_random(bytes);
  return bytes;
}

class KeyScheduleTest : public ::testing::Test {
 protected:
  // What the algorithm TLS13-KDF of the given provider answers, asked as libssl asks.
  Bytes ask(const char* properties, int mode, const char* digest, const Bytes& key,
            const Bytes& salt, std::string label, const Bytes& data, std::size_t size) {
    OSSL_LIB_CTX* context = world.library.state().context.get();
    EVP_KDF* kdf = EVP_KDF_fetch(context, OSSL_KDF_NAME_TLS1_3_KDF, properties);
    EVP_KDF_CTX* state = EVP_KDF_CTX_new(kdf);
    answered_by = OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf));
    std::string prefix = "tls13 ";
    std::string name = digest;
    std::vector<OSSL_PARAM> params{
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name.data(), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, label.data(), label.size())};
    const auto add = [&params](const char* param, const Bytes& bytes) {
      if (bytes.empty()) return;
      params.push_back(OSSL_PARAM_construct_octet_string(
          param, const_cast<std::uint8_t*>(bytes.data()), bytes.size()));
    };
    add(OSSL_KDF_PARAM_KEY, key);
    add(OSSL_KDF_PARAM_SALT, salt);
    add(OSSL_KDF_PARAM_DATA, data);
    params.push_back(OSSL_PARAM_construct_end());
    Bytes out(size);
    if (EVP_KDF_derive(state, out.data(), out.size(), params.data()) != 1) out.clear();
    EVP_KDF_CTX_free(state);
    EVP_KDF_free(kdf);
    return out;
  }

  testing::World world;
  std::string answered_by;
};

TEST_F(KeyScheduleTest, IsWhatLibsslIsGiven) {
  const Bytes key = random_bytes(32);
  ask(nullptr, EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", key, {}, "key", {}, 16);
  EXPECT_EQ(answered_by, "sallyport");
}

TEST_F(KeyScheduleTest, AnswersAsOpenSslsOwn) {
  for (const char* digest : {"SHA2-256", "SHA2-384"}) {
    const std::size_t size = std::string_view(digest) == "SHA2-256" ? 32 : 48;
    for (const std::size_t wanted : {std::size_t{12}, std::size_t{16}, size, 3 * size + 1}) {
      const Bytes key = random_bytes(size);
      const Bytes data = random_bytes(wanted % 2 == 0 ? 0 : size);
      const auto both = [&](const char* properties) {
        return ask(properties, EVP_KDF_HKDF_MODE_EXPAND_ONLY, digest, key, {}, "s ap traffic", data,
                   wanted);
      };
      const Bytes ours = both("provider=sallyport");
      EXPECT_EQ(answered_by, "sallyport");
      EXPECT_EQ(ours, both("provider=default")) << digest << " " << wanted;
      EXPECT_EQ(answered_by, "default");
      EXPECT_EQ(ours.size(), wanted);
    }
    // The early secret without and with a PSK, the handshake secret, the main secret.
    for (const Bytes& salt : {Bytes{}, random_bytes(size)}) {
      for (const Bytes& key : {Bytes{}, random_bytes(size), random_bytes(133)}) {
        const auto both = [&](const char* properties) {
          return ask(properties, EVP_KDF_HKDF_MODE_EXTRACT_ONLY, digest, key, salt, "derived", {},
                     size);
        };
        const Bytes ours = both("provider=sallyport");
        EXPECT_EQ(ours.size(), size);
        EXPECT_EQ(ours, both("provider=default"));
      }
    }
  }
}

// RFC 8448 §3, "Simple 1-RTT Handshake".
TEST_F(KeyScheduleTest, DerivesWhatTheRfcsTraceShows) {
  KeySchedule schedule(world.library.state().context.get());
  Bytes early(32);
  ASSERT_TRUE(schedule.extract(Hash::sha256, {}, "", {}, early));
  EXPECT_EQ(early, from_hex("33 ad 0a 1c 60 7e c0 3b 09 e6 cd 98 93 68 0c e2 10 ad f3 00 aa 1f 26 "
                            "60 e1 b2 2e 10 f1 70 f9 2a"));
  const Bytes shared = from_hex(
      "8b d4 05 4f b5 5b 9d 63 fd fb ac f9 f0 4b 9f 0d 35 e6 d6 3f 53 75 63 ef d4 62 72 90 0f 89 "
      "49 2d");
  Bytes handshake(32);
  ASSERT_TRUE(schedule.extract(Hash::sha256, early, "derived", shared, handshake));
  EXPECT_EQ(handshake, from_hex("1d c8 26 e9 36 06 aa 6f dc 0a ad c1 2f 74 1b 01 04 6a a6 b9 9f 69 "
                                "1e d2 21 a9 f0 ca 04 3f be ac"));
  const Bytes secret = from_hex(
      "b3 ed db 12 6e 06 7f 35 a7 80 b3 ab f4 5e 2d 8f 3b 1a 95 07 38 f5 2e 96 00 74 6a 0e 27 a5 "
      "5a 21");
  Bytes key(16);
  Bytes iv(12);
  ASSERT_TRUE(schedule.expand_label(Hash::sha256, secret, "key", {}, key));
  ASSERT_TRUE(schedule.expand_label(Hash::sha256, secret, "iv", {}, iv));
  EXPECT_EQ(key, from_hex("db fa a6 93 d1 76 2c 5b 66 6a f5 d9 50 25 8d 01"));
  EXPECT_EQ(iv, from_hex("5b d3 c7 1b 83 6e 0b 76 bb 73 26 5f"));
}

TEST_F(KeyScheduleTest, RefusesWhatDoesNotFit) {
  KeySchedule schedule(world.library.state().context.get());
  const Bytes secret = random_bytes(32);
  Bytes out(32);
  EXPECT_FALSE(schedule.expand_label(Hash::sha256, secret, std::string(250, 'x'), {}, out));
  EXPECT_FALSE(schedule.expand_label(Hash::sha256, secret, "key", random_bytes(256), out));
  EXPECT_FALSE(schedule.expand_label(Hash::sha256, random_bytes(49), "key", {}, out));
  Bytes long_out(32 * 255 + 1);
  EXPECT_FALSE(schedule.expand_label(Hash::sha256, secret, "key", {}, long_out));
  EXPECT_TRUE(
      ask("provider=sallyport", EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA512", secret, {}, "key", {}, 16)
          .empty());
}

// RFC 4231's keys are as long as no secret of TLS, but what is kept of a key must not depend on
// that.
TEST_F(KeyScheduleTest, TellsKeysApartThatItHasSeen) {
  KeySchedule schedule(world.library.state().context.get());
  const auto hmac = [&](Hash hash, const Bytes& key, const Bytes& text) {
    Bytes out(KeySchedule::size_of(hash));
    const std::array<std::span<const std::uint8_t>, 1> message{text};
    EXPECT_TRUE(schedule.hmac(hash, key, message, out));
    return out;
  };
  const auto openssl = [](Hash hash, const Bytes& key, const Bytes& text) {
    Bytes out(KeySchedule::size_of(hash));
    unsigned int size = 0;
    HMAC(hash == Hash::sha256 ? EVP_sha256() : EVP_sha384(), key.data(),
         static_cast<int>(key.size()), text.data(), text.size(), out.data(), &size);
    return out;
  };
  std::vector<Bytes> keys;
  for (const std::size_t size : {16U, 32U, 32U, 48U}) keys.push_back(random_bytes(size));
  keys.push_back(keys.back());
  keys.back().pop_back();  // a prefix of another
  for (int round = 0; round < 200; ++round) {
    const Bytes& key = keys[base::random_u64() % keys.size()];
    const Hash hash = round % 3 == 0 ? Hash::sha384 : Hash::sha256;
    const Bytes text = random_bytes(base::random_u64() % 300);
    ASSERT_EQ(hmac(hash, key, text), openssl(hash, key, text)) << round;
    if (round % 17 == 0) schedule.forget();
  }
}

TEST_F(KeyScheduleTest, CapturesWhatOutlivesTheHandshake) {
  const Bytes key = random_bytes(32);
  const auto derive = [&](const char* label) {
    return ask(nullptr, EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", key, {}, label, key, 32);
  };
  ConnectionSecrets secrets;
  Bytes client;
  Bytes resumption;
  {
    const KeySchedule::Capture capture(*world.library.state().schedule, &secrets);
    derive("c hs traffic");
    EXPECT_TRUE(secrets.client.empty());
    client = derive("c ap traffic");
    EXPECT_TRUE(secrets.server.empty());
    EXPECT_TRUE(secrets.resumption.empty());
    resumption = derive("res master");
  }
  derive("s ap traffic");  // nobody listens any more
  EXPECT_TRUE(std::ranges::equal(secrets.client.bytes(), client));
  EXPECT_TRUE(std::ranges::equal(secrets.resumption.bytes(), resumption));
  EXPECT_TRUE(secrets.server.empty());
}

}  // namespace
}  // namespace tls
