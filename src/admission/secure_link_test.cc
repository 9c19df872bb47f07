#include "admission/secure_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/base64.h"
#include "config/testing/loaded.h"
#include "exchange/exchange.h"
#include "tls/digest.h"

namespace admission {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

std::string digest(std::string_view text) {
  return tls::Digest(tls::Digest::Kind::md5).add(text).finish();
}

std::string url_text(std::string_view bytes) {
  std::string text = base::encode_base64(bytes);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text.substr(0, text.find('='));
}

class SecureLink : public ::testing::Test, protected config::testing::Loaded {
 protected:
  SecureLink() : Loaded(kSecureLinkFeature) {}
  void load(const std::string& in_server, const std::string& in_location = {}) {
    interpret("http { server { " + in_server + " location / { " + in_location + " } } }");
    provision_secure_link(http(), variables, diagnostics_);
    provision_secure_link(server(), variables, diagnostics_);
    provision_secure_link(*server().children()[0], variables, diagnostics_);
  }
  std::string value(std::string_view name = "secure_link") {
    exchange.level = server().children()[0].get();
    script::Subject subject(exchange);
    for (const script::VariableSpec& spec : kSecureLinkVariables) {
      if (spec.name == name) return std::string(spec.get(subject, {}).value_or("none"));
    }
    return "?";
  }
  void ask(std::string_view query) {
    exchange.args = query;
    exchange.uri = "/a";
    exchange.now_wall = base::WallTime(std::chrono::seconds(1000));
  }

  script::Variables variables;
  base::Arena arena;
  exchange::Connection connection;
  exchange::Exchange exchange{connection, arena};
};

TEST_F(SecureLink, HoldsUntilItsTimeIsOver) {
  // $secure_link_expires is written out, since only this feature's variables are known here.
  load("secure_link $arg_md5,$arg_e; secure_link_md5 \"$arg_e$uri secret\";");
  const std::string later = "md5=" + url_text(digest("1000/a secret")) + "&e=1000";
  ask(later);
  EXPECT_EQ(value(), "1");
  EXPECT_EQ(value("secure_link_expires"), "1000");
  const std::string earlier = "md5=" + url_text(digest("999/a secret")) + "&e=999";
  ask(earlier);
  EXPECT_EQ(value(), "0");
}

TEST_F(SecureLink, IsRefusedWhereItIsFalse) {
  load("secure_link $arg_md5; secure_link_md5 \"$uri secret\";");
  const std::string right = url_text(digest("/a secret"));
  const std::string good = "md5=" + right + "==";
  ask(good);
  EXPECT_EQ(value(), "1");
  for (const std::string& hash : {std::string(), right.substr(1), right + "AA",
                                  right + "===", std::string(22, 'A'), std::string(1000, 'A')}) {
    const std::string query = "md5=" + hash;
    ask(query);
    EXPECT_EQ(value(), "none") << hash;
  }
}

TEST_F(SecureLink, HasAnOldWay) {
  load("", "secure_link_secret word;");
  const std::string bytes = digest("linkword");
  std::string hash;
  for (const char byte : bytes) {
    constexpr std::string_view kHex = "0123456789abcdef";
    hash += kHex[static_cast<unsigned char>(byte) >> 4U];
    hash += kHex[static_cast<unsigned char>(byte) & 15U];
  }
  const std::string good = "/p/" + hash + "/link";
  exchange.request.raw_path = good;
  EXPECT_EQ(value(), "link");
  for (const std::string& path :
       {std::string("/"), std::string("*"), std::string(), "/p/" + hash, "/p/" + hash + "/",
        "/p/" + hash + "/lin", "/p/" + hash.substr(1) + "/link",
        "/p/x" + hash.substr(1) + "/link"}) {
    exchange.request.raw_path = path;
    EXPECT_EQ(value(), "none") << path;
  }
}

TEST_F(SecureLink, IsOneOfTwoWays) {
  load("", "secure_link_secret a; secure_link b;");
  EXPECT_THAT(messages(), Contains(HasSubstr("cannot be mixed with")));
}

TEST_F(SecureLink, TheOldWayTakesNothingFromOutside) {
  load("secure_link $arg_md5; secure_link_md5 \"$uri secret\";", "secure_link_secret a;");
  EXPECT_THAT(messages(), ::testing::IsEmpty());
  const std::string query = "md5=" + url_text(digest("/a secret"));
  ask(query);
  exchange.request.raw_path = "/a";
  EXPECT_EQ(value(), "none");
}

}  // namespace
}  // namespace admission
