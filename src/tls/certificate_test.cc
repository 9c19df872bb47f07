#include "tls/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/development_certificate.h"
#include "tls/private_key.h"
#include "tls/testing/certificates.h"

namespace tls {
namespace {

using testing::issue;

TEST(Certificate, KnowsItsNamesAndTimes) {
  const auto issued = issue({.names = {"a.example", "*.b.example", "::1"}});
  const auto certificate = Certificate::parse(issued.certificate).value();
  EXPECT_THAT(certificate->facts().dns_names, ::testing::ElementsAre("a.example", "*.b.example"));
  EXPECT_THAT(certificate->facts().ip_addresses, ::testing::ElementsAre("::1"));
  EXPECT_EQ(certificate->facts().subject, "CN=a.example");
  EXPECT_EQ(certificate->facts().not_after - certificate->facts().not_before,
            std::chrono::hours(25));
  EXPECT_EQ(mismatch(*certificate, PrivateKey::parse(issued.private_key).value()->id()),
            std::nullopt);
}

TEST(Certificate, KeepsTheChainInOrder) {
  const auto authority = issue({.names = {"authority"}, .authority = true});
  const auto leaf = issue({.names = {"leaf"}, .key_type = KeyType::rsa, .issuer = &authority});
  const auto chain =
      Certificate::parse("text before\n" + leaf.certificate + "\n" + authority.certificate).value();
  EXPECT_EQ(chain->chain().size(), 2U);
  EXPECT_EQ(chain->facts().subject, "CN=leaf");
  EXPECT_EQ(chain->facts().issuer, "CN=authority");
  EXPECT_EQ(chain->facts().key_type, KeyType::rsa);
}

TEST(Certificate, SaysWhatIsWrongWithTheText) {
  EXPECT_EQ(Certificate::parse("").error(),
            "it has no certificate (no PEM block \"BEGIN CERTIFICATE\")");
  EXPECT_EQ(Certificate::parse(issue().private_key).error(),
            "it has no certificate (no PEM block \"BEGIN CERTIFICATE\")");
  std::string damaged = issue().certificate;
  damaged[100] = '!';
  EXPECT_THAT(Certificate::parse(damaged).error(),
              ::testing::HasSubstr("certificate 1 of the file cannot be read"));
}

TEST(Certificate, TellsAKeyThatIsNotItsOwn) {
  const auto certificate = Certificate::parse(issue().certificate).value();
  const auto other = PrivateKey::parse(issue().private_key).value()->id();
  EXPECT_THAT(mismatch(*certificate, other).value(), ::testing::StartsWith("key values mismatch"));
}

TEST(DevelopmentCertificate, IsForItsNamesAndIsShort) {
  const std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};
  const auto now = base::SystemClock().wall();
  const auto made = make_development_certificate(names, now).value();
  const auto certificate = Certificate::parse(made.certificate).value();
  EXPECT_THAT(certificate->facts().dns_names, ::testing::ElementsAre("localhost"));
  EXPECT_THAT(certificate->facts().ip_addresses, ::testing::ElementsAre("127.0.0.1", "::1"));
  EXPECT_EQ(certificate->facts().not_after - certificate->facts().not_before,
            std::chrono::days(397));
  EXPECT_EQ(certificate->key_id(), PrivateKey::parse(made.private_key).value()->id());
}

TEST(DevelopmentCertificate, RefusesNamesThatWouldMeanSomethingElse) {
  for (const std::string name : {"a,DNS:b", "", "dir:x", "a\nb"}) {
    EXPECT_FALSE(make_development_certificate(std::span(&name, 1), {})) << name;
  }
  EXPECT_FALSE(make_development_certificate({}, {}));
}

}  // namespace
}  // namespace tls
