#include "tls/client_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/testing/world.h"

namespace tls {
namespace {

using testing::issue;
using testing::Issued;
using testing::IssueOptions;
using testing::Pair;
using testing::World;

class Verification : public ::testing::Test {
 protected:
  std::unique_ptr<Pair> connect(IssueOptions options, const std::string& name,
                                const Issued* trusted = nullptr) {
    options.issuer = options.issuer == nullptr ? &authority : options.issuer;
    const Issued leaf = issue(options);
    return connect_to(leaf, name, trusted == nullptr ? authority : *trusted);
  }
  std::unique_ptr<Pair> connect_to(const Issued& leaf, const std::string& name,
                                   const Issued& trusted) {
    context = world.server_context();
    world.source.servers[""] = {.context = context.get(), .certificates = {world.add(leaf)}};
    client =
        world.client_context({.trusted = TrustedCertificates::parse(trusted.certificate).value()});
    auto pair = world.connect(*context, *client, {.sni = name, .verify_name = name});
    world.handshake(*pair);
    return pair;
  }
  void expect_failure(const Pair& pair, VerifyFailure::Check check, std::string_view words) {
    ASSERT_FALSE(pair.client_result);
    EXPECT_TRUE(pair.client_result.error().is(base::ErrorCode::untrusted));
    ASSERT_NE(pair.client->verify_failure(), nullptr);
    EXPECT_EQ(pair.client->verify_failure()->check, check) << pair.client->failure();
    EXPECT_THAT(std::string(pair.client->failure()), ::testing::HasSubstr(std::string(words)));
    EXPECT_FALSE(pair.server_result && pair.client_result);
  }

  World world;
  Issued authority = issue({.names = {"Test authority"}, .authority = true});
  std::unique_ptr<ServerContext> context;
  std::unique_ptr<ClientContext> client;
};

TEST_F(Verification, AcceptsNameWildcardAndAddress) {
  const IssueOptions options{.names = {"one.example", "*.two.example", "10.1.2.3", "fd00::1"}};
  for (const char* name : {"one.example", "any.two.example", "10.1.2.3", "fd00::1"}) {
    const auto pair = connect(options, name);
    EXPECT_TRUE(pair->client_result) << name << ": " << pair->client->failure();
  }
}

TEST_F(Verification, SaysWhichNamesACertificateIsFor) {
  const IssueOptions options{.names = {"one.example", "*.two.example", "10.1.2.3"}};
  for (const char* name : {"other.example", "two.example", "a.b.two.example", "10.1.2.4"}) {
    const auto pair = connect(options, name);
    expect_failure(*pair, VerifyFailure::Check::name, "one.example, *.two.example, 10.1.2.3");
    EXPECT_THAT(std::string(pair->client->failure()), ::testing::HasSubstr("proxy_ssl_name"));
  }
}

TEST_F(Verification, RefusesAnExpiredCertificate) {
  const auto pair = connect({.names = {"a.example"},
                             .valid_from = std::chrono::hours(-48),
                             .valid_until = std::chrono::hours(-24)},
                            "a.example");
  expect_failure(*pair, VerifyFailure::Check::expired,
                 "upstream SSL certificate verify error: (10:certificate has expired)");
}

TEST_F(Verification, RefusesACertificateOfTomorrow) {
  const auto pair =
      connect({.names = {"a.example"}, .valid_from = std::chrono::hours(12)}, "a.example");
  expect_failure(*pair, VerifyFailure::Check::not_yet_valid, "(9:certificate is not yet valid)");
}

TEST_F(Verification, RefusesASelfSignedCertificateThatIsNotTrusted) {
  const auto pair = connect_to(issue({.names = {"a.example"}}), "a.example", authority);
  expect_failure(*pair, VerifyFailure::Check::self_signed, "proxy_ssl_trusted_certificate");
}

TEST_F(Verification, AcceptsACertificateThatIsItselfTrusted) {
  const Issued own = issue({.names = {"a.example"}});
  EXPECT_TRUE(connect_to(own, "a.example", own)->client_result);
}

TEST_F(Verification, RefusesAnUnknownIssuer) {
  const Issued other = issue({.names = {"Other authority"}, .authority = true});
  const auto pair = connect({.names = {"a.example"}, .issuer = &other}, "a.example");
  expect_failure(*pair, VerifyFailure::Check::unknown_issuer, "proxy_ssl_verify off");
}

TEST_F(Verification, FailsWithoutANameToVerify) {
  const auto pair = connect({.names = {"a.example"}}, "");
  ASSERT_FALSE(pair->client_result);
  EXPECT_TRUE(pair->client_result.error().is(base::ErrorCode::untrusted));
}

TEST_F(Verification, IsNotDoneWhenThePolicySaysSo) {
  context = world.server_context();
  world.source.servers[""] = {.context = context.get(), .certificates = {world.add(issue())}};
  client = world.client_context();
  const auto pair = world.connect(*context, *client, {.sni = "other", .verify_name = "other"});
  world.handshake(*pair);
  EXPECT_TRUE(pair->client_result);
}

TEST(ClientPolicy, NeedsSomethingToTrust) {
  EXPECT_EQ(problem_of(ClientPolicy{}), "certificates are to be verified, but none is trusted");
  EXPECT_EQ(problem_of(ClientPolicy{.verify = false}), "");
  EXPECT_EQ(problem_of(ClientPolicy{.verify = false, .ciphers = "no-such"}),
            "the cipher list \"no-such\" is not accepted (no cipher match)");
}

TEST(ServerPolicy, IsCheckedWhenTheConfigurationIsRead) {
  EXPECT_EQ(problem_of(ServerPolicy{}), "");
  EXPECT_NE(problem_of(ServerPolicy{.groups = "P-1"}), "");
  EXPECT_NE(problem_of(ServerPolicy{.suites = "TLS_ROT13"}), "");
  EXPECT_NE(problem_of(ServerPolicy{.versions = {}}), "");
}

TEST(ClientPolicy, IsEqualByTheBytesOfItsCertificates) {
  const Issued one = issue({.authority = true});
  const Issued two = issue({.authority = true});
  const auto trusting = [](const Issued& authority) {
    return ClientPolicy{.trusted = TrustedCertificates::parse(authority.certificate).value()};
  };
  EXPECT_EQ(trusting(one), trusting(one));
  EXPECT_NE(trusting(one), trusting(two));
  EXPECT_NE(trusting(one), ClientPolicy{});
  EXPECT_NE((ClientPolicy{.verify = false}), (ClientPolicy{}));
}

TEST(ClientContext, HasAnIdOfItsOwn) {
  World world;
  const auto first = world.client_context({.verify = false});
  const auto second = world.client_context({.verify = false});
  EXPECT_NE(first->id(), second->id());
  EXPECT_NE(first->id(), 0U);
}

}  // namespace
}  // namespace tls
