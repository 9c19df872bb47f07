#include "cli/proxy_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

ProxyPlan plan_of(const ProxyRequest& request, bool ipv6 = false) {
  const auto plan = plan_proxy(request, ipv6);
  EXPECT_TRUE(plan.has_value()) << (plan ? "" : plan.error());
  return plan.value_or(ProxyPlan{});
}
std::string refused(const ProxyRequest& request) {
  const auto plan = plan_proxy(request, false);
  return plan ? "accepted" : plan.error();
}

TEST(ProxyCommand, TakesBackendsAsPeopleWriteThem) {
  const auto backend = [](std::string to) {
    const ProxyPlan plan = plan_of({.to = {std::move(to)}});
    return plan.scheme + " " + plan.servers.front() + " " + plan.path;
  };
  EXPECT_EQ(backend("http://127.0.0.1:3000"), "http 127.0.0.1:3000 ");
  EXPECT_EQ(backend("http://127.0.0.1:3000/"), "http 127.0.0.1:3000 ");
  EXPECT_EQ(backend("http://10.0.0.1:3000/app/"), "http 10.0.0.1:3000 /app/");
  EXPECT_EQ(backend("HTTPS://api.example"), "https api.example:443 ");
  EXPECT_EQ(backend("api.example"), "http api.example:80 ");
  EXPECT_EQ(backend("3000"), "http 127.0.0.1:3000 ");
  EXPECT_EQ(backend(":3000"), "http 127.0.0.1:3000 ");
  EXPECT_EQ(backend("http://[::1]"), "http [::1]:80 ");
  EXPECT_EQ(backend("http://[::1]:81"), "http [::1]:81 ");
  EXPECT_EQ(backend("unix:/run/app.sock"), "http unix:/run/app.sock ");
}

TEST(ProxyCommand, SaysWhatIsWrong) {
  EXPECT_THAT(refused({}), HasSubstr("--to is missing"));
  EXPECT_THAT(refused({.to = {"ftp://a"}}), HasSubstr("not ftp"));
  EXPECT_THAT(refused({.to = {"http://a:99999"}}), HasSubstr("\"99999\" is not a port"));
  EXPECT_THAT(refused({.to = {"http://me:secret@a"}}), HasSubstr("not an address"));
  EXPECT_THAT(refused({.to = {"http://"}}), HasSubstr("not an address"));
  EXPECT_THAT(refused({.to = {"http://a", "https://b"}}), HasSubstr("all backends"));
  EXPECT_THAT(refused({.to = {"https://a", "https://b"}}), HasSubstr("only one backend"));
  EXPECT_THAT(refused({.to = {"http://a/x", "http://b"}}), HasSubstr("can't have a path"));
  EXPECT_THAT(refused({.to = {"1"}, .listen = "here"}), HasSubstr("not a port"));
  EXPECT_THAT(refused({.to = {"1"}, .listen = "name:80"}), HasSubstr("not an address"));
  EXPECT_THAT(refused({.to = {"1"}, .certificate = "a.pem"}), HasSubstr("belong together"));
}

TEST(ProxyCommand, LetsNothingIntoTheFileThatIsNotAValue) {
  for (const char* attack :
       {"a;b", "a{", "a}", "a\"b", "a'b", "a b", "$host", "a#b", "a\\", "a\nb"}) {
    EXPECT_NE(refused({.to = {std::string("http://") + attack}}), "accepted") << attack;
    EXPECT_NE(refused({.to = {"1"}, .domains = {attack}}), "accepted") << attack;
  }
  EXPECT_NE(refused({.to = {"1"}, .certificate = "a\"b", .key = "k"}), "accepted");
  EXPECT_EQ(refused({.to = {"1"}, .certificate = "my files/a.pem", .key = "k"}), "accepted");
}

TEST(ProxyCommand, ListensEverywhereOrWhereItIsTold) {
  EXPECT_THAT(plan_of({.to = {"1"}}).listen, ElementsAre("8443"));
  EXPECT_THAT(plan_of({.to = {"1"}, .listen = "443"}, true).listen, ElementsAre("443", "[::]:443"));
  EXPECT_THAT(plan_of({.to = {"1"}, .listen = "127.0.0.1:9"}).listen, ElementsAre("127.0.0.1:9"));
  EXPECT_THAT(plan_of({.to = {"1"}, .listen = "[::1]:9"}, true).listen, ElementsAre("[::1]:9"));
  EXPECT_EQ(proxy_prefix("/state", {.listen = "127.0.0.1:9"}), "/state/proxy-9");
}

TEST(ProxyCommand, WritesAFileThatReadsLikeOnesOwn) {
  ProxyPlan plan = plan_of({.to = {"http://127.0.0.1:3000"}, .domains = {"Example.com"}});
  plan.certificate = "/c.pem";
  plan.key = "/k.pem";
  const std::string text = proxy_configuration(plan);
  EXPECT_THAT(text, HasSubstr("        listen 8443 ssl;\n"));
  EXPECT_THAT(text, HasSubstr("        server_name example.com;\n"));
  EXPECT_THAT(text, HasSubstr("        ssl_certificate     \"/c.pem\";\n"));
  EXPECT_THAT(text, HasSubstr("            proxy_pass http://127.0.0.1:3000;\n"));
  EXPECT_THAT(text, Not(HasSubstr("upstream")));
  const std::string group = proxy_configuration(plan_of({.to = {"a", "b:81"}}));
  EXPECT_THAT(group, HasSubstr("        server a:80;\n        server b:81;\n"));
  EXPECT_THAT(group, HasSubstr("proxy_pass http://backends;"));
}

}  // namespace
}  // namespace cli
