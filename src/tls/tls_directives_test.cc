#include "tls/tls_directives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/testing/loaded.h"
#include "tls/testing/certificates.h"

namespace tls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TlsDirectives : public ::testing::Test, protected config::testing::Loaded {
 protected:
  void add(const std::string& name, const testing::Issued& issued) {
    files_.add(name + ".crt", issued.certificate);
    files_.add(name + ".key", issued.private_key);
  }
  TlsDirectives() : Loaded(kFeature) {
    add("ec", testing::issue());
    add("other", testing::issue());
    files_.add("broken", "no PEM at all");
  }
  const TlsOptions& load(const std::string& in_server, const std::string& in_http = {}) {
    interpret("http { " + in_http + " server { " + in_server + " } }");
    return server().get<TlsOptions>();
  }
  bool is_good(const TlsOptions& options) {
    return check(options, server().where(), diagnostics_) && !diagnostics_.has_errors();
  }
};

TEST_F(TlsDirectives, ReadACertificateAndItsKey) {
  const TlsOptions& options = load("ssl_certificate ec.crt; ssl_certificate_key ec.key;");
  EXPECT_TRUE(is_good(options)) << diagnostics_.render();
  ASSERT_EQ(options.certificates->size(), 1U);
  EXPECT_EQ(options.certificates->front().certificate->key_id(), options.keys->front().id);
  EXPECT_EQ(options.keys->front().pem, files_.text_of("/etc/ec.key"));
}

TEST_F(TlsDirectives, PairCertificatesAndKeysInTheirOrder) {
  add("rsa", testing::issue({.key_type = KeyType::rsa}));
  const TlsOptions& options = load(
      "ssl_certificate_key rsa.key; ssl_certificate rsa.crt; "
      "ssl_certificate ec.crt; ssl_certificate_key ec.key;");
  EXPECT_TRUE(is_good(options)) << diagnostics_.render();
  EXPECT_EQ(options.certificates->size(), 2U);
}

TEST_F(TlsDirectives, RefuseAKeyOfAnotherCertificate) {
  const TlsOptions& options = load("ssl_certificate ec.crt; ssl_certificate_key other.key;");
  EXPECT_FALSE(is_good(options));
  EXPECT_THAT(messages(), ElementsAre("SSL_CTX_use_PrivateKey(\"other.key\") failed (SSL: key "
                                      "values mismatch)"));
}

TEST_F(TlsDirectives, RefuseTwoCertificatesWithOneTypeOfKey) {
  const TlsOptions& options = load(
      "ssl_certificate ec.crt; ssl_certificate_key ec.key; "
      "ssl_certificate other.crt; ssl_certificate_key other.key;");
  EXPECT_FALSE(is_good(options));
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("have the same type of key")));
}

TEST_F(TlsDirectives, MissACertificatesKey) {
  const TlsOptions& options = load("ssl_certificate ec.crt;");
  EXPECT_FALSE(is_good(options));
  EXPECT_THAT(messages(),
              ElementsAre("no \"ssl_certificate_key\" is defined for certificate \"ec.crt\""));
}

TEST_F(TlsDirectives, MissAKeysCertificate) {
  const TlsOptions& options =
      load("ssl_certificate ec.crt; ssl_certificate_key ec.key; ssl_certificate_key other.key;");
  EXPECT_FALSE(is_good(options));
  EXPECT_THAT(messages(), ElementsAre("no \"ssl_certificate\" is defined for key \"other.key\""));
}

TEST_F(TlsDirectives, MissAnyCertificate) {
  const TlsOptions& options = load("ssl_certificate_key ec.key;");
  EXPECT_FALSE(is_good(options));
  EXPECT_THAT(messages(), ElementsAre("no \"ssl_certificate\" is defined for the \"listen ... "
                                      "ssl\" directive"));
}

TEST_F(TlsDirectives, InheritCertificatesFromHttp) {
  const TlsOptions& options =
      load("ssl_protocols TLSv1.3;", "ssl_certificate ec.crt; ssl_certificate_key ec.key;");
  EXPECT_TRUE(is_good(options)) << diagnostics_.render();
  EXPECT_THAT(policy_of(options).versions, ElementsAre(Version::tls1_3));
}

TEST_F(TlsDirectives, ReplaceTheCertificatesOfHttp) {
  const TlsOptions& options = load("ssl_certificate other.crt; ssl_certificate_key other.key;",
                                   "ssl_certificate ec.crt; ssl_certificate_key ec.key;");
  EXPECT_TRUE(is_good(options)) << diagnostics_.render();
  EXPECT_EQ(options.certificates->front().name, "other.crt");
}

TEST_F(TlsDirectives, ReportFilesThatAreMissingOrBroken) {
  load(
      "ssl_certificate none.crt; ssl_certificate_key none.key; "
      "ssl_certificate broken; ssl_certificate_key broken;");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("/etc/none.crt"), HasSubstr("/etc/none.key"),
                                      HasSubstr("cannot load certificate \"broken\": "),
                                      HasSubstr("cannot load certificate key \"broken\": ")));
}

TEST_F(TlsDirectives, RefuseWhatNamesNoFile) {
  load(
      "ssl_certificate /etc/$ssl_server_name.crt; ssl_certificate_key data:$key; "
      "ssl_certificate data:x; ssl_certificate_key engine:pkcs11:1; "
      "ssl_certificate_key store:file:/x;");
  EXPECT_THAT(messages(),
              ElementsAre("variables in \"ssl_certificate\" are not supported yet",
                          "variables in \"ssl_certificate_key\" are not supported yet",
                          "\"data:\" in \"ssl_certificate\" is not supported yet",
                          "\"engine:\" in \"ssl_certificate_key\" is not supported yet",
                          "\"store:\" in \"ssl_certificate_key\" is not supported yet"));
}

TEST_F(TlsDirectives, DefaultToMozillasIntermediatePolicy) {
  const ServerPolicy policy = policy_of(load(""));
  EXPECT_THAT(policy.versions, ElementsAre(Version::tls1_2, Version::tls1_3));
  EXPECT_EQ(policy.ciphers, kIntermediateCiphers);
  EXPECT_FALSE(policy.prefer_server_ciphers);
}

TEST_F(TlsDirectives, BringNginxsCiphersBackForCompatibility) {
  EXPECT_EQ(policy_of(load(""), {.compat_nginx = true}).ciphers, "HIGH:!aNULL:!MD5");
}

TEST_F(TlsDirectives, KeepWrittenCiphersUnderCompatibility) {
  const TlsOptions& options = load("ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;");
  EXPECT_EQ(policy_of(options, {.compat_nginx = true}).ciphers, "ECDHE-RSA-AES128-GCM-SHA256");
}

TEST_F(TlsDirectives, SetThePolicy) {
  const ServerPolicy policy = policy_of(
      load("ssl_protocols TLSv1.2 TLSv1.1 TLSv1; ssl_ciphers HIGH; ssl_prefer_server_ciphers on;"));
  EXPECT_THAT(policy.versions, ElementsAre(Version::tls1_0, Version::tls1_1, Version::tls1_2));
  EXPECT_EQ(policy.ciphers, "HIGH");
  EXPECT_TRUE(policy.prefer_server_ciphers);
}

TEST_F(TlsDirectives, MakeOnePolicyOfVersionsInAnyOrder) {
  const TlsOptions& options = load("ssl_protocols TLSv1.3 TLSv1.2 TLSv1.3;");
  EXPECT_EQ(policy_of(options), policy_of(TlsOptions{}));
  EXPECT_THAT(messages(), ElementsAre("duplicate value \"TLSv1.3\""));
  EXPECT_FALSE(diagnostics_.has_errors());
}

TEST_F(TlsDirectives, IgnoreSSLv3BesideCurrentVersions) {
  EXPECT_THAT(policy_of(load("ssl_protocols SSLv3 TLSv1.2;")).versions,
              ElementsAre(Version::tls1_2));
  EXPECT_FALSE(diagnostics_.has_errors());
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("SSLv3 is ignored")));
}

TEST_F(TlsDirectives, RefuseSSLv3Alone) {
  load("ssl_protocols SSLv2 SSLv3;");
  EXPECT_EQ(diagnostics_.error_count(), 1U);
}

TEST_F(TlsDirectives, RefuseUnknownVersions) {
  load("ssl_protocols TLSv1.4;");
  EXPECT_THAT(messages(), ElementsAre("invalid value \"TLSv1.4\" in \"ssl_protocols\" directive"));
}

TEST_F(TlsDirectives, RefuseCiphersThatOpenSSLDoesNotKnow) {
  const TlsOptions& options =
      load("ssl_certificate ec.crt; ssl_certificate_key ec.key; ssl_ciphers nonsense;");
  EXPECT_FALSE(is_good(options));
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("\"nonsense\" is not accepted")));
}

}  // namespace
}  // namespace tls
