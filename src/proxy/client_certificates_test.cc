#include "proxy/client_certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "io/testing/fake_clock.h"
#include "tls/testing/certificates.h"

namespace proxy {
namespace {

using namespace std::chrono_literals;
using observe::Counter;
using ::testing::HasSubstr;
using tls::testing::issue;
using tls::testing::Issued;

TEST(NameOfACertificate, IsRefusedWhereItLeavesItsFolderOrIsNoText) {
  for (const std::string& bad :
       {std::string(".."), std::string("../a"), std::string("a/../b"), std::string("/a/.."),
        std::string("a\nb"), std::string("a\0b", 3), std::string("a\x7f"),
        std::string(ClientCertificateCache::kLongestName + 1, 'a')}) {
    EXPECT_NE(problem_of_file_name(bad), "") << bad;
  }
  for (const std::string& good :
       {std::string("/etc/a.crt"), std::string("a..b/...c"), std::string("./a"),
        std::string("\xc3\xa4.crt"), std::string(ClientCertificateCache::kLongestName, 'a')}) {
    EXPECT_EQ(problem_of_file_name(good), "") << good;
  }
}

class ClientCertificates : public ::testing::Test {
 protected:
  ClientCertificates() {
    std::string name = "/tmp/client_certificates_XXXXXX";
    folder = ::mkdtemp(name.data());
    named.directory = folder + "/";
    named.policy = std::make_shared<const tls::ClientPolicy>(tls::ClientPolicy{.verify = false});
    write("a", a);
    write("b", b);
  }
  ~ClientCertificates() override { std::filesystem::remove_all(folder); }

  void write_file(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    std::ofstream(folder + "/" + name) << text;
    ASSERT_EQ(::chmod((folder + "/" + name).c_str(), mode), 0);
  }
  void write(const std::string& name, const Issued& issued) const {
    write_file(name + ".crt", issued.certificate);
    write_file(name + ".key", issued.private_key);
  }
  ClientCertificateCache& cache() {
    if (made == nullptr) {
      made = std::make_unique<ClientCertificateCache>(
          ClientCertificateCache::Surroundings{loop, library, signer, counters}, named);
    }
    return *made;
  }
  ClientCertificateCache::Shown find(const std::string& name) {
    auto found = cache().find(name + ".crt", name + ".key");
    EXPECT_TRUE(found) << found.error();
    return found ? *found : nullptr;
  }
  std::string failure(const std::string& certificate, const std::string& key) {
    const auto found = cache().find(certificate, key);
    EXPECT_FALSE(found);
    return found ? std::string() : found.error();
  }
  std::string failure(const std::string& name) { return failure(name + ".crt", name + ".key"); }
  void pass(base::Duration time) {
    clock.advance(time);
    loop.run_until_idle();
  }

  const Issued a = issue({.names = {"a.example"}});
  const Issued b = issue({.names = {"b.example"}});
  std::string folder;
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  tls::InProcessSigner signer;
  tls::Library library{signer};
  NamedCertificate named;
  std::unique_ptr<ClientCertificateCache> made;
};

TEST_F(ClientCertificates, AreReadOnceAndHaveAContextEach) {
  const auto first = find("a");
  const auto other = find("b");
  EXPECT_NE(first->context->id(), other->context->id());
  EXPECT_EQ(find("a"), first);
  EXPECT_EQ(counters.get(Counter::upstream_certificates_read), 2U);
  EXPECT_EQ(counters.get(Counter::upstream_certificates_found), 1U);
}

TEST_F(ClientCertificates, AreNoneWhereTheNameIsEmpty) {
  EXPECT_EQ(cache().find("", "a.key").value(), nullptr);
  EXPECT_THAT(failure("a.crt", ""), HasSubstr("\"proxy_ssl_certificate_key\" give is empty"));
}

TEST_F(ClientCertificates, KeepTheirContextWhileTheFilesSayTheSame) {
  named.cache.inactive = 1h;
  const auto before = find("a");
  pass(1min);
  EXPECT_EQ(find("a"), before);
  EXPECT_EQ(counters.get(Counter::upstream_certificates_read), 2U);
}

TEST_F(ClientCertificates, AreSeenAnewAfterTheirTime) {
  named.cache.inactive = 1h;
  const auto before = find("a");
  write("a", b);
  pass(59s);
  EXPECT_EQ(find("a"), before);
  pass(1s);
  EXPECT_NE(find("a")->fingerprint, before->fingerprint);
}

TEST_F(ClientCertificates, WhoseFileIsGoneAreNotShownAfterTheirTime) {
  named.cache.inactive = 1h;
  EXPECT_NE(find("a"), nullptr);
  std::filesystem::remove(folder + "/a.key");
  pass(1min);
  EXPECT_THAT(failure("a"), HasSubstr("(2: No such file or directory)"));
  EXPECT_EQ(cache().size(), 0U);
}

TEST_F(ClientCertificates, ThatNobodyUsesGoWithTheirKeys) {
  EXPECT_NE(find("a"), nullptr);
  auto in_use = find("b");
  EXPECT_EQ(signer.size(), 2U);
  pass(named.cache.inactive + 10ms);
  EXPECT_EQ(cache().size(), 0U);
  EXPECT_EQ(signer.size(), 1U) << "a connection is being made with the other one";
  in_use.reset();
  EXPECT_EQ(signer.size(), 0U);
}

TEST_F(ClientCertificates, AreBoundedAndTheOldestGivesWay) {
  named.cache.most = 1;
  EXPECT_NE(find("a"), nullptr);
  EXPECT_NE(find("b"), nullptr);
  EXPECT_EQ(cache().size(), 1U);
  EXPECT_EQ(signer.size(), 1U);
  EXPECT_EQ(counters.get(Counter::limit_upstream_certificates), 1U);
}

TEST_F(ClientCertificates, WithoutACacheAreReadEachTime) {
  named.cache.most = 0;
  EXPECT_NE(find("a")->context->id(), find("a")->context->id());
  EXPECT_EQ(counters.get(Counter::upstream_certificates_read), 2U);
  EXPECT_EQ(signer.size(), 0U);
}

TEST_F(ClientCertificates, ThatFailAreNotReadAgainForASecond) {
  EXPECT_THAT(failure("none"), HasSubstr("cannot load certificate \"" + folder +
                                         "/none.crt\": open() failed (2: No such file"));
  write("none", a);
  failure("none");
  EXPECT_EQ(counters.get(Counter::upstream_certificates_read), 1U);
  EXPECT_EQ(counters.get(Counter::upstream_certificates_failed), 2U);
  pass(1s);
  EXPECT_NE(find("none"), nullptr);
}

TEST_F(ClientCertificates, ThatFailPushNoGoodOneOut) {
  named.cache.most = 1;
  EXPECT_NE(find("a"), nullptr);
  for (std::size_t i = 0; i <= ClientCertificateCache::kMostFailures; ++i) {
    failure(std::to_string(i));
  }
  EXPECT_EQ(cache().size(), 1U);
  EXPECT_EQ(counters.get(Counter::limit_upstream_certificates), 0U);
}

TEST_F(ClientCertificates, AreRegularPrivateFilesOfSomeSize) {
  EXPECT_THAT(failure("a.crt", "b.key"),
              HasSubstr("; the certificate is in \"" + folder + "/a.crt\""));
  EXPECT_THAT(failure("a.key", "a.key"), HasSubstr("it must be a certificate, PEM"));
  EXPECT_THAT(failure("a.crt", "."), HasSubstr("is not a regular file"));
  ASSERT_EQ(::mkfifo((folder + "/pipe").c_str(), 0600), 0);
  EXPECT_THAT(failure("pipe", "a.key"), HasSubstr("is not a regular file"));
  write_file("large", std::string(ClientCertificateCache::kLargestFile + 1, ' '));
  EXPECT_THAT(failure("large", "a.key"), HasSubstr("is too large"));
  write_file("open.key", a.private_key, 0644);
  EXPECT_THAT(failure("a.crt", "open.key"), HasSubstr("; chmod o= " + folder + "/open.key"));
  write_file("group.key", a.private_key, 0640);
  EXPECT_TRUE(cache().find("a.crt", "group.key")) << "so that the user of the program can";
}

TEST_F(ClientCertificates, OpenTheirKeysByThePasswords) {
  write_file("shut.key", tls::testing::encrypt_key(a, "secret"));
  EXPECT_THAT(failure("a.crt", "shut.key"), HasSubstr("proxy_ssl_password_file"));
  named.passwords = {"wrong", "secret"};
  pass(1s);
  EXPECT_TRUE(cache().find("a.crt", "shut.key"));
}

TEST_F(ClientCertificates, AreNotLookedForUnderABadName) {
  EXPECT_THAT(failure("../a.crt", "a.key"), HasSubstr("has a \"..\" in its path"));
  EXPECT_THAT(failure("a.crt", std::string("a.key\0", 6)), HasSubstr("has a control character"));
  EXPECT_EQ(counters.get(Counter::upstream_certificate_names_refused), 2U);
  EXPECT_EQ(counters.get(Counter::upstream_certificates_read), 0U);
}

}  // namespace
}  // namespace proxy
