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
  void add_encrypted(const std::string& name, const std::string& password) {
    const testing::Issued issued = testing::issue();
    add(name, {issued.certificate, testing::encrypt_key(issued, password)});
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
  EXPECT_EQ(options.certificates->front().certificate->key_id(), options.keys->front().key->id());
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

TEST_F(TlsDirectives, OpenAnEncryptedKeyWithTheFirstPasswordThatFits) {
  add_encrypted("locked", "second one");
  files_.add("passwords", "first\n\nsecond one\r\nthird\n");
  const TlsOptions& options = load(
      "ssl_certificate locked.crt; ssl_certificate_key locked.key; ssl_password_file passwords;");
  EXPECT_TRUE(is_good(options)) << diagnostics_.render();
  const auto keys = open_keys(options);
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys.front()->id(), options.certificates->front().certificate->key_id());
}

TEST_F(TlsDirectives, OpenAnInheritedKeyWithAPasswordOfTheServer) {
  add_encrypted("locked", "secret");
  files_.add("passwords", "secret");
  EXPECT_TRUE(is_good(load("ssl_password_file passwords;",
                           "ssl_certificate locked.crt; ssl_certificate_key locked.key;")))
      << diagnostics_.render();
}

TEST_F(TlsDirectives, MissThePasswordOfAKey) {
  add_encrypted("locked", "secret");
  EXPECT_FALSE(is_good(load("ssl_certificate locked.crt; ssl_certificate_key locked.key;")));
  EXPECT_THAT(messages(), ElementsAre("cannot load certificate key \"locked.key\": the private key "
                                      "is encrypted and no password was given"));
}

TEST_F(TlsDirectives, RefuseAKeyThatNoPasswordOpens) {
  add_encrypted("locked", "secret");
  files_.add("passwords", "wrong\n");
  EXPECT_FALSE(is_good(load(
      "ssl_certificate locked.crt; ssl_certificate_key locked.key; ssl_password_file passwords;")));
  EXPECT_THAT(messages(), ElementsAre("cannot load certificate key \"locked.key\": the private key "
                                      "is encrypted, and the password does not open it"));
}

TEST_F(TlsDirectives, RefuseAPasswordFileWithoutPasswords) {
  files_.add("passwords", "\n\n");
  load("ssl_password_file passwords;");
  EXPECT_THAT(messages(), ElementsAre("there is no password in \"passwords\""));
}

TEST_F(TlsDirectives, SetTheGroups) {
  EXPECT_EQ(policy_of(load("ssl_ecdh_curve secp384r1:prime256v1;")).groups, "secp384r1:prime256v1");
  EXPECT_FALSE(diagnostics_.has_errors());
}

TEST_F(TlsDirectives, ChooseTheGroupsUnlessTheyAreNamed) {
  EXPECT_EQ(policy_of(load("ssl_ecdh_curve auto;", "ssl_ecdh_curve P-384;")).groups, "");
}

TEST_F(TlsDirectives, RefuseGroupsThatOpenSSLDoesNotKnow) {
  load("ssl_ecdh_curve X25519:secp999r1;");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("\"X25519:secp999r1\" are not accepted")));
}

TEST_F(TlsDirectives, RejectHandshakesWithoutACertificate) {
  EXPECT_TRUE(is_good(load("ssl_reject_handshake on;"))) << diagnostics_.render();
}

TEST_F(TlsDirectives, KeepSessionsInTicketsForFiveMinutes) {
  const ServerPolicy policy = policy_of(load(""));
  EXPECT_TRUE(policy.tickets);
  EXPECT_EQ(policy.session_timeout, std::chrono::minutes(5));
  EXPECT_EQ(policy.sessions.mode, SessionStore::Mode::none);
}

TEST_F(TlsDirectives, SetSessions) {
  const ServerPolicy policy = policy_of(
      load("ssl_session_tickets off; ssl_session_timeout 1d; ssl_session_cache shared:SSL:10m;"));
  EXPECT_FALSE(policy.tickets);
  EXPECT_EQ(policy.session_timeout, std::chrono::hours(24));
  EXPECT_EQ(
      policy.sessions,
      (SessionStore{.mode = SessionStore::Mode::shared, .name = "SSL", .capacity = 10 << 20}));
  EXPECT_THAT(messages(), IsEmpty());
}

TEST_F(TlsDirectives, SwitchTheSessionCacheOff) {
  EXPECT_EQ(policy_of(load("ssl_session_cache off;", "ssl_session_cache shared:SSL:1m;")).sessions,
            (SessionStore{.mode = SessionStore::Mode::off}));
}

TEST_F(TlsDirectives, TakeNoEarlyDataUnlessTold) {
  EXPECT_FALSE(policy_of(TlsOptions{}).early_data);
  EXPECT_TRUE(policy_of(load("ssl_early_data on;")).early_data);
}

TEST_F(TlsDirectives, WarnThatNoCacheIsBuiltIn) {
  const TlsOptions& options = load("ssl_session_cache builtin:1000 shared:SSL:1m;");
  EXPECT_EQ(options.sessions->mode, SessionStore::Mode::shared);
  EXPECT_FALSE(diagnostics_.has_errors());
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("sessions are resumed by tickets")));
}

TEST_F(TlsDirectives, RefuseOddSessionCaches) {
  std::string servers;
  for (const char* odd : {"shared", "shared:SSL", "shared::1m", "shared:SSL:much", "on",
                          "off shared:SSL:1m", "none builtin"}) {
    servers += "server { ssl_session_cache " + std::string(odd) + "; } ";
  }
  interpret("http { " + servers + "}");
  EXPECT_EQ(diagnostics_.error_count(), 7U) << diagnostics_.render();
}

TEST_F(TlsDirectives, RefuseASessionCacheThatIsTooSmall) {
  load("ssl_session_cache shared:SSL:31k;");
  EXPECT_THAT(messages(), ElementsAre("session cache \"shared:SSL:31k\" is too small"));
}

TEST_F(TlsDirectives, WarnOfSessionsThatOutliveTheKeysOfTickets) {
  load("ssl_session_timeout 2d;");
  EXPECT_THAT(messages(), ElementsAre("tickets are taken for 24 hours at most"));
}

TEST_F(TlsDirectives, ReadTicketKeysInNginxsTwoLayouts) {
  std::string bytes;
  for (int i = 0; i < 80; ++i) bytes += static_cast<char>(i);
  files_.add("long.key", bytes);
  files_.add("short.key", bytes.substr(0, 48));
  const ServerPolicy policy =
      policy_of(load("ssl_session_ticket_key long.key; ssl_session_ticket_key short.key;"));
  ASSERT_EQ(policy.ticket_keys.size(), 2U) << diagnostics_.render();
  const TicketKey& large = policy.ticket_keys.front();
  EXPECT_EQ(large.name.front(), 0);
  EXPECT_EQ(large.mac_key.front(), 16);
  EXPECT_EQ(large.cipher_key.front(), 48);
  EXPECT_EQ(large.cipher_key.back(), 79);
  EXPECT_EQ(large.size, 32);
  const TicketKey& small = policy.ticket_keys.back();
  EXPECT_EQ(small.cipher_key.front(), 16);
  EXPECT_EQ(small.mac_key.front(), 32);
  EXPECT_EQ(small.size, 16);
}

TEST_F(TlsDirectives, RefuseATicketKeyOfAnotherSize) {
  files_.add("ticket.key", std::string(64, 'x'));
  load("ssl_session_ticket_key ticket.key;");
  EXPECT_THAT(messages(),
              ElementsAre("cannot load ticket key \"ticket.key\": it has 64 bytes, not 48 or 80"));
}

TEST_F(TlsDirectives, BoundRecordsByTheBufferSize) {
  const ServerPolicy policy = policy_of(load("ssl_buffer_size 4k;"));
  EXPECT_EQ(policy.record_size, 4096U);
  EXPECT_TRUE(policy.adaptive_records);
}

TEST_F(TlsDirectives, WarnOfABufferSizeAboveARecords) {
  EXPECT_EQ(policy_of(load("ssl_buffer_size 64k;")).record_size, kLargestRecord);
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("16k at most")));
}

TEST_F(TlsDirectives, BoundEarlyDataAndRecordsWithoutData) {
  const ServerPolicy policy =
      policy_of(load("ssl_early_data_size 4k; ssl_max_dataless_records 8;"));
  EXPECT_EQ(policy.early_data_size, 4096U);
  EXPECT_EQ(policy.max_dataless_records, 8U);
}

TEST_F(TlsDirectives, RefuseMoreEarlyDataThanThereIsRoomFor) {
  load("ssl_early_data_size 17k;");
  EXPECT_EQ(diagnostics_.error_count(), 1U);
}

TEST_F(TlsDirectives, RefuseATinyBufferSize) {
  load("ssl_buffer_size 100;");
  EXPECT_EQ(diagnostics_.error_count(), 1U);
}

TEST_F(TlsDirectives, MakeRecordsOfOneSizeAndOfferMoreGroupsForCompatibility) {
  const ServerPolicy policy = policy_of(load(""), {.compat_nginx = true});
  EXPECT_FALSE(policy.adaptive_records);
  EXPECT_TRUE(policy.wide_groups);
}

TEST_F(TlsDirectives, PassCommandsToOpenSSLOverOtherSettings) {
  const ServerPolicy policy =
      policy_of(load("ssl_conf_command Options PrioritizeChaCha,-SessionTicket; "
                     "ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256; "
                     "ssl_conf_command groups P-384; ssl_ecdh_curve X25519; "
                     "ssl_conf_command CipherString ECDHE-RSA-AES128-GCM-SHA256;"));
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(policy.suites, "TLS_CHACHA20_POLY1305_SHA256");
  EXPECT_EQ(policy.groups, "P-384");
  EXPECT_EQ(policy.ciphers, "ECDHE-RSA-AES128-GCM-SHA256");
  EXPECT_FALSE(policy.tickets);
  EXPECT_THAT(policy.commands, ElementsAre(ConfCommand{
                                   .name = "Options", .value = "PrioritizeChaCha,-SessionTicket"}));
}

TEST_F(TlsDirectives, RefuseCommandsThatBreakAPromise) {
  load(
      "ssl_conf_command RecordPadding 512; ssl_conf_command Options Compression; "
      "ssl_conf_command Options +ClientRenegotiation; ssl_conf_command Options -AntiReplay; "
      "ssl_conf_command DHParameters dh.pem; ssl_conf_command NumTickets 1000;");
  EXPECT_THAT(messages(),
              ElementsAre(HasSubstr("\"RecordPadding\" is refused"),
                          HasSubstr("\"Compression\" is refused"),
                          HasSubstr("\"ClientRenegotiation\" is refused"),
                          HasSubstr("\"-AntiReplay\" is refused"), HasSubstr("\"ssl_dhparam\""),
                          "\"NumTickets\" is a number from 0 to 16"));
}

TEST_F(TlsDirectives, NameTheCommandThatOpenSSLDoesNotTake) {
  load("ssl_conf_command Nonsense 1; ssl_conf_command SignatureAlgorithms nonsense;");
  EXPECT_THAT(messages(),
              ElementsAre(HasSubstr("SSL_CONF_cmd(\"Nonsense\", \"1\") failed (SSL: "),
                          HasSubstr("SSL_CONF_cmd(\"SignatureAlgorithms\", \"nonsense\") failed")));
}

TEST_F(TlsDirectives, RefuseAFileWithoutDiffieHellmanParameters) {
  load("ssl_dhparam broken;");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("cannot load DH parameters \"broken\": ")));
}

TEST_F(TlsDirectives, ReadTrustedCertificates) {
  EXPECT_EQ((*load("ssl_trusted_certificate ec.crt;").trusted)->certificates().size(), 1U);
}

TEST_F(TlsDirectives, RefuseTrustedCertificatesThatAreNone) {
  load("ssl_trusted_certificate broken;");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("cannot load trusted certificates \"broken\": ")));
}

}  // namespace
}  // namespace tls
