// Configurations as they are built, from text.
#include "snapshot/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "config/memory_files.h"
#include "snapshot/testing/proxy_world.h"

namespace snapshot::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Loaded {
  config::MemoryFiles files;
  config::Diagnostics diagnostics;
  std::shared_ptr<const Snapshot> snapshot;

  explicit Loaded(std::string_view text, std::string global = "") {
    files.add("/etc/sallyport.conf", text);
    files.add("/etc/more.conf", "server { listen 127.0.0.1:81; }\n");
    LoadOptions options;
    options.file = "/etc/sallyport.conf";
    options.prefix = "/prefix";
    options.global_directives = std::move(global);
    options.error_log = "/prefix/error.log";
    snapshot = load(options, files, diagnostics);
  }
  std::string messages() const { return diagnostics.render(); }
  std::vector<std::string> addresses() const {
    std::vector<std::string> all;
    for (const ListenerSpec& spec : snapshot->listeners) {
      all.push_back(spec.address.text() + (spec.tls ? " tls" : ""));
    }
    return all;
  }
};

TEST(Load, TakesBareServersAsTheInsideOfHttp) {
  const Loaded loaded("server { listen 127.0.0.1:80; return 204; }");
  ASSERT_NE(loaded.snapshot, nullptr) << loaded.messages();
  EXPECT_EQ(loaded.addresses(), std::vector<std::string>{"127.0.0.1:80"});
  EXPECT_EQ(loaded.diagnostics.warning_count(), 0U) << loaded.messages();
}

TEST(Load, ListensByDefaultWhereNginxDoes) {
  const Loaded loaded("server { return 204; }");
  ASSERT_NE(loaded.snapshot, nullptr) << loaded.messages();
  EXPECT_EQ(loaded.addresses(),
            std::vector<std::string>{::geteuid() == 0 ? "0.0.0.0:80" : "0.0.0.0:8000"});
}

TEST(Load, GivesEachAddressOneListenerWithItsSocketOptions) {
  const Loaded loaded(
      "http { server { listen 127.0.0.1:80; listen [::1]:80 backlog=7; }"
      " server { listen 127.0.0.1:80 backlog=9; listen unix:/run/a.sock; } }");
  ASSERT_NE(loaded.snapshot, nullptr) << loaded.messages();
  EXPECT_EQ(loaded.addresses(),
            (std::vector<std::string>{"127.0.0.1:80", "[::1]:80", "unix:/run/a.sock"}));
  const auto& specs = loaded.snapshot->listeners;
  EXPECT_EQ(specs[0].options.backlog, 9);
  EXPECT_EQ(specs[1].options.backlog, 7);
  EXPECT_TRUE(specs[0].options.reuse_port);
  EXPECT_FALSE(specs[2].options.reuse_port);
}

TEST(Load, TakesSocketOptionsOfAnAddressOnce) {
  const Loaded loaded(
      "http { server { listen 127.0.0.1:80 rcvbuf=64k; }\n"
      "server { listen 127.0.0.1:80 bind; }\n"
      "server { listen 127.0.0.1:80; } }");
  EXPECT_EQ(loaded.snapshot, nullptr);
  EXPECT_THAT(loaded.messages(),
              HasSubstr("duplicate listen options for 127.0.0.1:80 in /etc/sallyport.conf:2"));
  EXPECT_THAT(loaded.messages(), HasSubstr("the first time is at /etc/sallyport.conf:1"));
  EXPECT_EQ(loaded.diagnostics.error_count(), 1U) << loaded.messages();
}

TEST(Load, WarnsWhenServersOfOneAddressAskForDifferentProtocols) {
  const Loaded loaded(
      "http { server { listen 127.0.0.1:80; }\n"
      "server { listen 127.0.0.1:80 http2; }\n"
      "server { listen 127.0.0.1:80; }\n"
      "server { listen 127.0.0.1:80 proxy_protocol; } }");
  ASSERT_NE(loaded.snapshot, nullptr) << loaded.messages();
  EXPECT_THAT(loaded.messages(),
              HasSubstr("protocol options redefined for 127.0.0.1:80 in /etc/sallyport.conf:4"));
  EXPECT_THAT(loaded.messages(), HasSubstr("the first time is at /etc/sallyport.conf:2"));
  EXPECT_THAT(loaded.messages(), Not(HasSubstr("redefined for 127.0.0.1:80 in "
                                               "/etc/sallyport.conf:3")));
}

TEST(Load, FillsProcessOptions) {
  const Loaded loaded(
      "user www web; daemon off; worker_processes 3; pid run/my.pid;"
      "events { worker_connections 77; } http { server { listen 127.0.0.1:80; } }",
      "master_process off;");
  ASSERT_NE(loaded.snapshot, nullptr) << loaded.messages();
  const ProcessOptions& process = loaded.snapshot->process;
  EXPECT_EQ(process.user, "www");
  EXPECT_EQ(process.group, "web");
  EXPECT_FALSE(process.daemon);
  EXPECT_FALSE(process.master_process);
  EXPECT_EQ(process.worker_processes, 3U);
  EXPECT_EQ(process.worker_connections, 77U);
  EXPECT_EQ(process.pid_file, "/prefix/run/my.pid");
  EXPECT_FALSE(process.compat_nginx);
}

TEST(Load, ReportsAllErrorsAtOnceWithTheirPlaces) {
  const Loaded loaded("server {\n  lissten 80;\n  server_name a*b;\n  return 99999;\n}\n");
  EXPECT_EQ(loaded.snapshot, nullptr);
  EXPECT_GE(loaded.diagnostics.error_count(), 2U) << loaded.messages();
  EXPECT_THAT(loaded.messages(), HasSubstr("/etc/sallyport.conf:2"));
  EXPECT_THAT(loaded.messages(), HasSubstr("/etc/sallyport.conf:4"));
}

TEST(Load, RefusesTwoDefaultServersOfOneAddress) {
  const Loaded loaded(
      "http { server { listen 127.0.0.1:80 default_server; }\n"
      "server { listen 127.0.0.1:80 default_server; } }");
  EXPECT_EQ(loaded.snapshot, nullptr);
  EXPECT_THAT(loaded.messages(), HasSubstr("a duplicate default server for 127.0.0.1:80"));
  EXPECT_THAT(loaded.messages(), HasSubstr("/etc/sallyport.conf:1"));
}

TEST(Load, WarnsOfConflictingNamesAndKeepsTheFirst) {
  const Loaded loaded(
      "http { server { listen 127.0.0.1:80; server_name a; } server { listen 127.0.0.1:80;"
      " server_name A b; } }");
  ASSERT_NE(loaded.snapshot, nullptr);
  EXPECT_THAT(loaded.messages(), HasSubstr("conflicting server name"));
}

TEST(Load, RefusesATlsServerWithoutACertificate) {
  const Loaded loaded("server { listen 127.0.0.1:443 ssl; }");
  EXPECT_EQ(loaded.snapshot, nullptr);
  EXPECT_THAT(loaded.messages(), HasSubstr("ssl_certificate"));
}

TEST(Load, WarnsThatAGroupsNameIsWhatItsCertificatesMustShow) {
  constexpr std::string_view kText =
      "http { upstream u { server 10.0.0.1:443; } server { listen 127.0.0.1:80;"
      " location / { proxy_pass https://u; %s } } }";
  const auto with = [&](std::string_view more) {
    std::string text(kText);
    return text.replace(text.find("%s"), 2, more);
  };
  EXPECT_THAT(Loaded(with("")).messages(), HasSubstr("proxy_ssl_name"));
  EXPECT_THAT(Loaded(with("proxy_ssl_name a.example;")).messages(),
              Not(HasSubstr("proxy_ssl_name")));
  EXPECT_THAT(Loaded(with("proxy_ssl_verify off;")).messages(), Not(HasSubstr("proxy_ssl_name")));
  EXPECT_THAT(Loaded(with(""), "compat nginx;").messages(), Not(HasSubstr("proxy_ssl_name")));
}

TEST(Load, CompatNginxBringsNginxsDefaultsBack) {
  const Loaded loaded("compat nginx; events {} http { server { listen 127.0.0.1:80; } }");
  ASSERT_NE(loaded.snapshot, nullptr) << loaded.messages();
  EXPECT_TRUE(loaded.snapshot->process.compat_nginx);
  constexpr std::string_view kServer = "http { server { listen 127.0.0.1:8000; return 204; } }";
  for (const bool compat : {false, true}) {
    ProxyWorld world((compat ? "compat nginx; " : "") + std::string(kServer));
    Peer client = world.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = client.received();
    EXPECT_EQ(answer.find("Server: sallyport/") != std::string::npos, compat) << answer;
    std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 0; i < 150; ++i) many += "X: 1\r\n";
    client.send(many + "\r\n");
    EXPECT_EQ(client.received().starts_with("HTTP/1.1 204"), compat);
  }
}

TEST(Load, RefusesDirectivesThatWouldBeMissed) {
  const Loaded loaded("server { listen 127.0.0.1:80; location / { fastcgi_pass x; } }");
  EXPECT_EQ(loaded.snapshot, nullptr);
  EXPECT_THAT(loaded.messages(), HasSubstr("fastcgi_pass"));
}

TEST(Load, RefusesAProxyPassUriInARegularExpression) {
  const Loaded loaded(
      "server { listen 127.0.0.1:80; location ~ x { proxy_pass http://10.0.0.1/y; } }");
  EXPECT_EQ(loaded.snapshot, nullptr);
  EXPECT_THAT(loaded.messages(), HasSubstr("cannot have URI part"));
}

TEST(Load, SaysThatAFileIsMissing) {
  config::MemoryFiles files;
  config::Diagnostics diagnostics;
  LoadOptions options;
  options.file = "/etc/none.conf";
  EXPECT_EQ(load(options, files, diagnostics), nullptr);
  EXPECT_THAT(diagnostics.render(), HasSubstr("/etc/none.conf"));
}

TEST(Servers, AreChosenByAddressThenNameThenDefault) {
  ProxyWorld world(
      "http { server { listen 127.0.0.1:8000; server_name a; return 200 first; }"
      " server { listen 127.0.0.1:8000 default_server; server_name b; return 200 second; }"
      " server { listen 127.0.0.1:8000; server_name *.c; return 200 third; }"
      " server { listen 127.0.0.1:8000; server_name ~^d(?<n>\\d+)$; return 200 fourth$n; }"
      " server { listen 127.0.0.1:9000; server_name a; return 200 elsewhere; } }");
  const auto answer = [&](std::string_view host) {
    Peer client = world.connect();
    client.send("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
    const std::string all = client.received();
    return all.substr(all.find("\r\n\r\n") + 4);
  };
  EXPECT_EQ(answer("a"), "first");
  EXPECT_EQ(answer("A:8000"), "first");
  EXPECT_EQ(answer("b"), "second");
  EXPECT_EQ(answer("x.c"), "third");
  EXPECT_EQ(answer("d42"), "fourth42");
  EXPECT_EQ(answer("unknown"), "second");
}

TEST(Dump, PrintsEachFileOnce) {
  const Loaded loaded("http {\n  include more.conf;\n  include more.conf;\n}\n");
  const std::string text = dump(loaded.diagnostics);
  EXPECT_THAT(text, StartsWith("# configuration file /etc/sallyport.conf:\nhttp {\n"));
  const auto first = text.find("# configuration file /etc/more.conf:\nserver");
  EXPECT_NE(first, std::string::npos) << text;
  EXPECT_EQ(text.find("more.conf:", first + 30), std::string::npos);
}

}  // namespace
}  // namespace snapshot::testing
