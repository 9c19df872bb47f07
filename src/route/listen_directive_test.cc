#include "route/listen_directive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "config/interpreter.h"
#include "config/memory_files.h"
#include "config/parser.h"
#include "route/route_options.h"

namespace route {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> addresses(std::string_view text) {
  const auto parsed = parse_listen_address(text);
  if (!parsed) return {parsed.error()};
  std::vector<std::string> texts;
  for (const base::Address& address : *parsed) texts.push_back(address.text());
  return texts;
}

TEST(ListenAddress, TakesPortsAddressesAndBoth) {
  EXPECT_THAT(addresses("8080"), ElementsAre("0.0.0.0:8080"));
  EXPECT_THAT(addresses("*:8080"), ElementsAre("0.0.0.0:8080"));
  EXPECT_THAT(addresses("127.0.0.1"), ElementsAre("127.0.0.1:80"));
  EXPECT_THAT(addresses("[::]:443"), ElementsAre("[::]:443"));
  EXPECT_THAT(addresses("[::1]"), ElementsAre("[::1]:80"));
  EXPECT_THAT(addresses("unix:/run/a.sock"), ElementsAre("unix:/run/a.sock"));
  EXPECT_THAT(addresses("unix:@name"), ElementsAre("unix:@name"));
}

TEST(ListenAddress, TakesRangesOfPorts) {
  EXPECT_THAT(addresses("127.0.0.1:8000-8002"),
              ElementsAre("127.0.0.1:8000", "127.0.0.1:8001", "127.0.0.1:8002"));
  EXPECT_THAT(addresses("8000-8001"), ElementsAre("0.0.0.0:8000", "0.0.0.0:8001"));
  EXPECT_THAT(addresses("*:8000-8001"), ElementsAre("0.0.0.0:8000", "0.0.0.0:8001"));
  EXPECT_THAT(addresses("[::1]:65534-65535"), ElementsAre("[::1]:65534", "[::1]:65535"));
  EXPECT_THAT(addresses("9000-9000"), ElementsAre("0.0.0.0:9000"));
}

TEST(ListenAddress, SaysWhatIsWrongInNginxWords) {
  for (const auto* text : {"0", "65536", "*:", "*:x", "*:80-", "*:-80", "80-0", "80-65536", "1-2-3",
                           "-", "[::]:80-x"}) {
    EXPECT_THAT(addresses(text), ElementsAre("invalid port")) << text;
  }
  EXPECT_THAT(addresses("8010-8000"), ElementsAre("invalid port range"));
  EXPECT_THAT(addresses(":80"), ElementsAre("no host"));
  EXPECT_THAT(addresses("[::zz]:80"), ElementsAre("host not found"));
  EXPECT_THAT(addresses("unix:"), ElementsAre("invalid or too long path"));
}

constexpr config::DirectiveSpec kBlocks[] = {{.name = "http",
                                              .contexts = config::Context::main,
                                              .arguments = config::takes(0),
                                              .block = config::opens(config::Context::http),
                                              .documentation = "d"}};

class ListenDirective : public ::testing::Test {
 protected:
  const ListenOptions& load(const std::string& listens) {
    const std::array features{
        config::Feature{.name = "blocks", .directives = kBlocks, .inherit = nullptr}, kFeature};
    const config::Vocabulary vocabulary(features, {});
    config::parse_text("t.conf", "http { server { " + listens + " } }", files_, diagnostics_,
                       tree_);
    config::interpret(tree_, vocabulary, root_, diagnostics_, files_, {});
    const auto* server = root_.children()[0]->children()[0]->find<ServerOptions>();
    static const ListenOptions kNone;
    return server == nullptr || server->listens.empty() ? kNone : server->listens.back();
  }
  std::vector<std::string> messages() const {
    std::vector<std::string> texts;
    for (const auto& each : diagnostics_.list()) texts.push_back(each.message);
    return texts;
  }

  config::MemoryFiles files_;
  config::Diagnostics diagnostics_;
  config::Tree tree_;
  config::Level root_;
};

TEST_F(ListenDirective, LeavesTheSocketAloneWithoutParameters) {
  const ListenOptions& listen = load("listen 127.0.0.1:80 default_server ssl proxy_protocol;");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_TRUE(listen.default_server);
  EXPECT_TRUE(listen.tls);
  EXPECT_TRUE(listen.proxy_protocol);
  EXPECT_FALSE(listen.has_socket_options);
  EXPECT_FALSE(listen.socket.keep_alive || listen.socket.fast_open || listen.socket.deferred ||
               listen.socket.receive_buffer || listen.socket.send_buffer);
  EXPECT_EQ(listen.socket.backlog, 511);
}

TEST_F(ListenDirective, TakesEveryParameterOfTheSocket) {
  const ListenOptions& listen = load(
      "listen [::]:80 backlog=70000 rcvbuf=64k sndbuf=1m deferred fastopen=16"
      " so_keepalive=30m:10:3 ipv6only=off bind reuseport multipath;");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_TRUE(listen.has_socket_options);
  EXPECT_EQ(listen.socket.backlog, 70000);
  EXPECT_EQ(listen.socket.receive_buffer, 64 * 1024);
  EXPECT_EQ(listen.socket.send_buffer, 1024 * 1024);
  EXPECT_EQ(listen.socket.fast_open, 16);
  EXPECT_TRUE(listen.socket.deferred);
  EXPECT_TRUE(listen.socket.multipath);
  EXPECT_FALSE(listen.socket.ipv6_only);
  EXPECT_EQ(
      listen.socket.keep_alive,
      (io::TcpKeepAlive{.on = true, .idle = seconds(1800), .interval = seconds(10), .count = 3}));
}

TEST_F(ListenDirective, CountsBindAloneAsAnOptionOfTheSocket) {
  EXPECT_TRUE(load("listen 127.0.0.1:80 bind;").has_socket_options);
}

TEST_F(ListenDirective, TakesPartsOfSoKeepalive) {
  static_cast<void>(
      load("listen 127.0.0.1:1 so_keepalive=on; listen 127.0.0.1:2 so_keepalive=off;"
           "listen 127.0.0.1:3 so_keepalive=30m::10; listen 127.0.0.1:4 so_keepalive=:5;"
           "listen 127.0.0.1:5 so_keepalive=60;"));
  EXPECT_THAT(messages(), IsEmpty());
  std::vector<std::optional<io::TcpKeepAlive>> read;
  for (const ListenOptions& listen :
       root_.children()[0]->children()[0]->find<ServerOptions>()->listens) {
    read.push_back(listen.socket.keep_alive);
  }
  EXPECT_THAT(read, ElementsAre(io::TcpKeepAlive{.on = true}, io::TcpKeepAlive{.on = false},
                                io::TcpKeepAlive{.on = true, .idle = seconds(1800), .count = 10},
                                io::TcpKeepAlive{.on = true, .interval = seconds(5)},
                                io::TcpKeepAlive{.on = true, .idle = seconds(60)}));
}

class BadParameter : public ListenDirective,
                     public ::testing::WithParamInterface<std::pair<std::string, std::string>> {};

TEST_P(BadParameter, IsNamedInNginxWords) {
  static_cast<void>(load("listen 127.0.0.1:80 " + GetParam().first + ";"));
  EXPECT_THAT(messages(), ElementsAre(HasSubstr(GetParam().second)));
  EXPECT_TRUE(diagnostics_.has_errors());
}

INSTANTIATE_TEST_SUITE_P(
    All, BadParameter,
    ::testing::Values(std::pair("backlog=0", "invalid backlog \"0\""),
                      std::pair("backlog=-1", "invalid backlog \"-1\""),
                      std::pair("fastopen=x", "invalid fastopen \"x\""),
                      std::pair("rcvbuf=0", "invalid rcvbuf \"0\""),
                      std::pair("rcvbuf=4g", "invalid rcvbuf \"4g\""),
                      std::pair("sndbuf=", "invalid sndbuf \"\""),
                      std::pair("ipv6only=yes", "invalid ipv6only flags \"yes\""),
                      std::pair("so_keepalive=", "invalid so_keepalive value: \"\""),
                      std::pair("so_keepalive=::", "invalid so_keepalive value: \"::\""),
                      std::pair("so_keepalive=0", "invalid so_keepalive value: \"0\""),
                      std::pair("so_keepalive=10h", "invalid so_keepalive value: \"10h\""),
                      std::pair("so_keepalive=1ms", "invalid so_keepalive value: \"1ms\""),
                      std::pair("so_keepalive=::3:", "invalid so_keepalive value: \"::3:\""),
                      std::pair("so_keepalive=::128", "invalid so_keepalive value: \"::128\""),
                      std::pair("setfib=1", "\"setfib=1\" is for FreeBSD"),
                      std::pair("quic", "\"quic\" is not supported yet"),
                      std::pair("defered", "invalid parameter \"defered\""),
                      std::pair("ssl=on", "invalid parameter \"ssl=on\"")));

TEST_F(ListenDirective, RefusesAnAddressTwiceInOneServer) {
  static_cast<void>(load("listen 127.0.0.1:8000-8003; listen 127.0.0.1:8003;"));
  EXPECT_THAT(messages(), ElementsAre("a duplicate listen 127.0.0.1:8003"));
}

TEST_F(ListenDirective, WarnsOfWhatAUnixSocketHasNot) {
  static_cast<void>(load("listen unix:/a deferred rcvbuf=8k;"));
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("\"deferred\" has no meaning for a Unix socket")));
  EXPECT_FALSE(diagnostics_.has_errors());
}

}  // namespace
}  // namespace route
