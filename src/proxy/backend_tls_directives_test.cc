#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/testing/loaded.h"
#include "proxy/backend_tls_options.h"
#include "tls/testing/certificates.h"

namespace proxy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class BackendTlsDirectives : public ::testing::Test, protected config::testing::Loaded {
 protected:
  BackendTlsDirectives() : Loaded(kBackendTlsFeature) {
    files_.add("our.crt", ours.certificate);
    files_.add("our.key", ours.private_key);
    files_.add("root.crl", tls::testing::revoke(root));
    files_.add("old.crl", tls::testing::revoke(root, {.valid_from = std::chrono::hours(-48),
                                                      .valid_until = std::chrono::hours(-24)}));
    files_.add("passwords", "one\ntwo\n");
  }
  const BackendTlsOptions& load(const std::string& in_server, const std::string& in_http = {}) {
    interpret("http { " + in_http + " server { " + in_server + " } }");
    return server().get<BackendTlsOptions>();
  }

  tls::testing::Issued root = tls::testing::issue({.names = {"Root"}, .authority = true});
  tls::testing::Issued ours = tls::testing::issue({.issuer = &root});
  const std::string a = tls::testing::pin_of(root);
  const std::string b = tls::testing::pin_of(ours);
};

TEST_F(BackendTlsDirectives, HaveSafeDefaults) {
  const BackendTlsOptions& options = load("");
  EXPECT_TRUE(*options.verify);
  EXPECT_TRUE(*options.server_name);
  EXPECT_TRUE(*options.session_reuse);
  EXPECT_EQ(*options.verify_depth, 4U);
  EXPECT_EQ(*options.ciphers, "DEFAULT");
  EXPECT_THAT(*options.pins, IsEmpty());
}

TEST_F(BackendTlsDirectives, GatherPinsOfOneLevelAndInheritThemWhole) {
  EXPECT_THAT(*load("proxy_ssl_pin " + a + "; proxy_ssl_pin '" + b + ";" + a + "';").pins,
              SizeIs(3));
  EXPECT_THAT(messages(), IsEmpty());
}

TEST_F(BackendTlsDirectives, ReplaceInheritedPins) {
  EXPECT_THAT(*load("proxy_ssl_pin " + a + ";", "proxy_ssl_pin " + a + " " + b + ";").pins,
              ElementsAre(*tls::parse_pin(a)));
}

TEST_F(BackendTlsDirectives, SwitchInheritedPinsOff) {
  const BackendTlsOptions& options = load("proxy_ssl_pin off;", "proxy_ssl_pin " + a + ";");
  EXPECT_THAT(*options.pins, IsEmpty());
  EXPECT_THAT(messages(), IsEmpty());
}

TEST_F(BackendTlsDirectives, InheritWhatOneLevelAloneSays) {
  const BackendTlsOptions& options =
      load("proxy_ssl_certificate_key our.key;",
           "proxy_ssl_certificate our.crt; proxy_ssl_password_file passwords; proxy_ssl_crl "
           "root.crl; proxy_ssl_conf_command Groups P-256; proxy_ssl_conf_command Options "
           "-SessionTicket; proxy_ssl_protocols TLSv1.3;");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_NE(options.certificate->certificate, nullptr);
  EXPECT_EQ(options.key->pem, ours.private_key);
  EXPECT_THAT(*options.passwords, ElementsAre("one", "two"));
  EXPECT_NE(*options.revocations, nullptr);
  EXPECT_THAT(*options.commands, SizeIs(2));
  EXPECT_THAT(*options.versions, ElementsAre(tls::Version::tls1_3));
}

TEST_F(BackendTlsDirectives, ShowNoCertificateWhereItIsEmpty) {
  const BackendTlsOptions& options =
      load("proxy_ssl_certificate \"\";", "proxy_ssl_certificate our.crt;");
  EXPECT_EQ(options.certificate->certificate, nullptr);
  EXPECT_THAT(messages(), IsEmpty());
}

TEST_F(BackendTlsDirectives, WarnOfAListThatHasExpired) {
  EXPECT_NE(*load("proxy_ssl_crl old.crl;").revocations, nullptr);
  EXPECT_THAT(messages(), ElementsAre("the revocation list of \"CN=Root\" has expired"));
}

TEST_F(BackendTlsDirectives, ReadFilesWhoseNamesHaveVariablesLater) {
  const BackendTlsOptions& options =
      load("proxy_ssl_certificate $x.crt; proxy_ssl_certificate_key keys/$x.key;");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(options.certificate->name, "$x.crt");
  EXPECT_EQ(options.certificate->certificate, nullptr);
  EXPECT_EQ(options.certificate->directory, "/etc/");
  EXPECT_EQ(*options.certificate_cache, BackendTlsOptions::CertificateCache{});
}

TEST_F(BackendTlsDirectives, RefuseNamesThatNoRequestCouldMakeGood) {
  load("proxy_ssl_certificate ../$x.crt; proxy_ssl_certificate_key data:$x;");
  EXPECT_THAT(messages(),
              ElementsAre("\"../$x.crt\" has a \"..\" in its path",
                          "\"data:\" in \"proxy_ssl_certificate_key\" is not supported yet"));
}

TEST_F(BackendTlsDirectives, KeepSoManyCertificatesForSoLong) {
  const BackendTlsOptions& options = load("proxy_ssl_certificate_cache max=3 valid=5s;");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(*options.certificate_cache,
            (BackendTlsOptions::CertificateCache{.most = 3, .valid = std::chrono::seconds(5)}));
}

TEST_F(BackendTlsDirectives, KeepNoCertificateWhereTheCacheIsOff) {
  const BackendTlsOptions& options =
      load("proxy_ssl_certificate_cache off;", "proxy_ssl_certificate_cache max=3;");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(options.certificate_cache->most, 0U);
}

class CertificateCache : public ::testing::TestWithParam<const char*>,
                         protected config::testing::Loaded {
 protected:
  CertificateCache() : Loaded(kBackendTlsFeature) {}
};

TEST_P(CertificateCache, IsRefusedWithoutBounds) {
  interpret("http { proxy_ssl_certificate_cache " + std::string(GetParam()) + "; server { } }");
  EXPECT_THAT(messages(), SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(Bad, CertificateCache,
                         ::testing::Values("max=0", "max=x", "valid=1m", "off max=1",
                                           "max=1 valid=0", "max=1 inactive=", "most=1"));

}  // namespace
}  // namespace proxy
