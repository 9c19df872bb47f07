#include "tls/private_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/openssl.h"
#include "tls/testing/certificates.h"

namespace tls {
namespace {

using testing::issue;

PkeyPtr decoded(const std::string& pem) {
  const BioPtr bio = bio_over(pem);
  return PkeyPtr(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

/// "BEGIN EC PRIVATE KEY" and its like; with a password, encrypted as PEM does it.
std::string in_its_own_form(const std::string& pem, const std::string& password = {}) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  const auto* words = reinterpret_cast<const unsigned char*>(password.data());
  EXPECT_EQ(PEM_write_bio_PrivateKey_traditional(
                bio.get(), decoded(pem).get(), password.empty() ? nullptr : EVP_aes_128_cbc(),
                words, static_cast<int>(password.size()), nullptr, nullptr),
            1);
  return text_of(bio.get());
}

class PrivateKeyOf : public ::testing::TestWithParam<KeyType> {
 protected:
  const testing::Issued issued = issue({.key_type = GetParam()});
  const KeyId id = Certificate::parse(issued.certificate).value()->key_id();
};

TEST_P(PrivateKeyOf, HasTheIdOfItsCertificateWhateverItsForm) {
  EXPECT_EQ(PrivateKey::parse(issued.private_key).value()->id(), id);
  EXPECT_EQ(PrivateKey::parse(issued.certificate + issued.private_key).value()->id(), id);
  if (GetParam() != KeyType::ed25519) {  // which has none
    EXPECT_EQ(PrivateKey::parse(in_its_own_form(issued.private_key)).value()->id(), id);
  }
}

TEST_P(PrivateKeyOf, IdIsTheDigestThatEveryoneElseTakesOfAPublicKey) {
  const PkeyPtr key = decoded(issued.private_key);
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key.get(), &der);
  KeyId digest{};
  EVP_Digest(der, static_cast<std::size_t>(size), digest.data(), nullptr, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  EXPECT_EQ(id, digest);
}

TEST_P(PrivateKeyOf, OpensWithTheFirstPasswordThatFits) {
  const std::vector<std::string> passwords{"wrong", "", "right", "other"};
  EXPECT_EQ(PrivateKey::parse(testing::encrypt_key(issued, "right"), passwords).value()->id(), id);
  if (GetParam() == KeyType::ed25519) return;
  const std::string own = in_its_own_form(issued.private_key, "right");
  EXPECT_EQ(PrivateKey::parse(own, passwords).value()->id(), id);
}

TEST_P(PrivateKeyOf, StaysClosedWithoutItsPassword) {
  const std::string closed = testing::encrypt_key(issued, "right");
  const std::vector<std::string> wrong{"wrong"};
  EXPECT_EQ(PrivateKey::parse(closed).error(),
            "the private key is encrypted and no password was given");
  EXPECT_EQ(PrivateKey::parse(closed, wrong).error(),
            "the private key is encrypted, and the password does not open it");
}

// PEM's encryption has no checksum: a wrong password is noticed by the padding, and that fits once
// in 256 times.
bool seems_to_open(const std::string& pem, std::string password) {
  const BioPtr bio = bio_over(pem);
  unsigned char* data = nullptr;
  long size = 0;
  const auto answer = [](char* into, int size, int, void* word) {
    const std::string& text = *static_cast<std::string*>(word);
    text.copy(into, static_cast<std::size_t>(size));
    return static_cast<int>(text.size());
  };
  if (PEM_bytes_read_bio(&data, &size, nullptr, PEM_STRING_EVP_PKEY, bio.get(), answer,
                         &password) != 1) {
    ERR_clear_error();
    return false;
  }
  OPENSSL_free(data);
  return true;
}

TEST(PrivateKey, IsNotOpenedByAPasswordThatFitsByChanceAlone) {
  const auto issued = issue();
  const KeyId id = Certificate::parse(issued.certificate).value()->key_id();
  std::string closed;
  do {
    closed = in_its_own_form(issued.private_key, "right");  // with new salt each time
  } while (!seems_to_open(closed, "wrong"));
  const std::vector<std::string> wrong{"wrong"};
  const std::vector<std::string> both{"wrong", "right"};
  EXPECT_EQ(PrivateKey::parse(closed, wrong).error(),
            "the private key is encrypted, and the password does not open it");
  EXPECT_EQ(PrivateKey::parse(closed, both).value()->id(), id);
}

INSTANTIATE_TEST_SUITE_P(AllTypes, PrivateKeyOf,
                         ::testing::Values(KeyType::rsa, KeyType::ec, KeyType::ed25519));

TEST(PrivateKey, OfAPointThatTheCertificateCompressesIsStillItsOwn) {
  const auto issued = issue();
  const PkeyPtr key = decoded(issued.private_key);
  ASSERT_EQ(EVP_PKEY_set_utf8_string_param(key.get(), "point-format", "compressed"), 1);
  const X509Ptr certificate(X509_new());
  X509_set_pubkey(certificate.get(), key.get());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  ASSERT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate.get());
  EXPECT_EQ(Certificate::parse(text_of(bio.get())).value()->key_id(),
            PrivateKey::parse(issued.private_key).value()->id());
}

TEST(Passwords, AreTheLinesOfAFile) {
  EXPECT_THAT(parse_passwords("one\r\ntwo words\n\nthree"),
              ::testing::ElementsAre("one", "two words", "three"));
  EXPECT_THAT(parse_passwords(""), ::testing::IsEmpty());
  EXPECT_THAT(parse_passwords("\n\r\n"), ::testing::IsEmpty());
}

TEST(PrivateKey, SaysWhatIsWrongWithTheText) {
  const auto parse = [](const std::string& pem) { return PrivateKey::parse(pem).error(); };
  EXPECT_EQ(parse(""), "it has no private key (no PEM block \"BEGIN ... PRIVATE KEY\")");
  EXPECT_EQ(parse(issue().certificate),
            "it has no private key (no PEM block \"BEGIN ... PRIVATE KEY\")");
  for (const std::string type : {"", "EC ", "RSA "}) {
    EXPECT_EQ(parse("-----BEGIN " + type + "PRIVATE KEY-----\nAAAA\n-----END " + type +
                    "PRIVATE KEY-----\n"),
              "its private key cannot be read (damaged, or of an unknown kind)");
  }
  const PkeyPtr other(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"));
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), other.get(), nullptr, nullptr, 0, nullptr, nullptr);
  EXPECT_EQ(parse(text_of(bio.get())), "its private key is neither RSA nor EC nor Ed25519");
}

TEST(PrivateKey, AnUnreadableOneDoesNotSpoilTheNext) {
  const std::string good = issue().private_key;
  std::string bad = good;
  bad[60] = bad[60] == 'A' ? 'B' : 'A';
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(PrivateKey::parse(good));
    static_cast<void>(PrivateKey::parse(bad));
  }
  EXPECT_EQ(PrivateKey::parse(good).value()->id(), PrivateKey::parse(good).value()->id());
}

}  // namespace
}  // namespace tls
