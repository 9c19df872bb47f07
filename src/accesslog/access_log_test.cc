#include "accesslog/access_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/interpreter.h"
#include "config/memory_files.h"
#include "config/parser.h"
#include "io/testing/fake_clock.h"
#include "observe/memory_log.h"

namespace accesslog {
namespace {

using config::Context;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr config::DirectiveSpec kBlocks[] = {
    {.name = "http",
     .contexts = Context::main,
     .arguments = config::takes(0),
     .block = config::opens(Context::http),
     .documentation = ""},
    {.name = "server",
     .contexts = Context::http,
     .arguments = config::takes(0),
     .block = config::opens(Context::server),
     .repeat = config::Repeat::repeatable,
     .documentation = ""},
    {.name = "location",
     .contexts = Context::server,
     .block = config::opens(Context::location),
     .repeat = config::Repeat::repeatable,
     .documentation = ""},
};

/// A configuration, and a request that can be logged at each of its levels.
class AccessLogTest : public testing::Test {
 protected:
  void load(std::string text) {
    config::parse_text("test.conf", std::move(text), files, diagnostics, tree);
    const config::Vocabulary vocabulary(features, {});
    config::interpret(tree, vocabulary, root, diagnostics, files, {});
  }
  Destinations& destinations() { return root.options<Destinations>(); }
  const config::Level& http() const { return *root.children()[0]; }
  const config::Level& server() const { return *http().children()[0]; }
  const config::Level& location(std::size_t i) const { return *server().children()[i]; }

  std::vector<std::string> messages() const {
    std::vector<std::string> out;
    for (const auto& entry : diagnostics.list()) out.push_back(entry.message);
    return out;
  }
  std::vector<std::string> errors_of(std::string text) {
    load(std::move(text));
    if (!root.children().empty()) {
      LogCompiler compiler(http(), destinations(), variables, diagnostics);
      static_cast<void>(compiler.compile(http()));
    }
    variables.finish(diagnostics);
    return messages();
  }
  void log(const Logs& logs, unsigned status) {
    base::Arena arena;
    exchange::Exchange ex(client, arena);
    ex.response.status = static_cast<std::uint16_t>(status);
    ex.request.method_text = status == 200 ? "GET" : "";
    Writer writer(loop, counters);
    writer.write(*logs, ex);
    writer.flush();
  }

  const std::array<config::Feature, 3> features{
      config::Feature{.name = "blocks", .directives = kBlocks, .inherit = nullptr},
      kAccessLogFeature, kErrorLogFeature};
  config::MemoryFiles files;
  config::Diagnostics diagnostics;
  config::Tree tree;
  config::Level root;
  script::Variables variables;
  exchange::Connection client;
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  observe::CounterLayout layout;
  observe::Counters counters{layout};
};

TEST_F(AccessLogTest, IsInheritedReplacedAndTurnedOff) {
  load(R"(http {
    log_format short '$status';
    log_format long '$status ' '$request_method';
    access_log logs/main.log short;
    server {
      location / { }
      location /own { access_log own.log long; access_log other.log short; }
      location /off { access_log off; }
    }
  })");
  LogCompiler compiler(http(), destinations(), variables, diagnostics);
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(compiler.compile(location(0)), compiler.compile(http()));
  log(compiler.compile(location(0)), 200);
  log(compiler.compile(location(1)), 404);
  log(compiler.compile(location(2)), 500);
  EXPECT_EQ(files.text_of("/prefix/logs/main.log"), "200\n");
  EXPECT_EQ(files.text_of("/prefix/own.log"), "404 -\n");
  EXPECT_EQ(files.text_of("/prefix/other.log"), "404\n");
}

TEST_F(AccessLogTest, LogsNowhereUnlessConfigured) {
  load("http { server { location / { } } }");
  LogCompiler plain(http(), destinations(), variables, diagnostics);
  EXPECT_THAT(*plain.compile(location(0)), IsEmpty());
  const auto target = destinations().target(*destinations().open("logs/access.log", files));
  LogCompiler compat(http(), destinations(), variables, diagnostics, target);
  ASSERT_EQ(compat.compile(location(0))->size(), 1U);
  log(compat.compile(location(0)), 200);
  EXPECT_THAT(files.text_of("/prefix/logs/access.log"), HasSubstr(" 200 0 \"-\" \"-\"\n"));
}

TEST_F(AccessLogTest, LogsOnlyWhereItsConditionHolds) {
  load(R"(http {
    log_format short '$status';
    access_log a.log short if=$request_method;
  })");
  LogCompiler compiler(http(), destinations(), variables, diagnostics);
  const Logs logs = compiler.compile(http());
  log(logs, 200);
  log(logs, 400);
  EXPECT_EQ(files.text_of("/prefix/a.log"), "200\n");
}

TEST_F(AccessLogTest, TakesAFormatThatStandsFurtherDown) {
  EXPECT_THAT(errors_of("http { access_log a.log late; log_format late '$uri'; }"), IsEmpty());
}

TEST_F(AccessLogTest, ReportsAllThatIsWrongWithFormats) {
  EXPECT_THAT(
      errors_of(R"(http {
    log_format combined '$uri';
    log_format one '$uri';
    log_format one '$uri';
    log_format two escape=xml '$uri';
    log_format three '$nonsense';
    log_format four escape=json;
    access_log a.log on;
  })"),
      ElementsAre("duplicate \"log_format\" name \"combined\"",
                  "duplicate \"log_format\" name \"one\"", "unknown log format escaping \"xml\"",
                  "unknown log format \"on\"", "unknown \"nonsense\" variable"));
}

TEST_F(AccessLogTest, RefusesWrongParametersInNginxsWords) {
  EXPECT_THAT(errors_of(R"(http {
    access_log a.log combined nonsense;
    access_log off combined;
    access_log a.log combined buffer=0;
    access_log a.log combined buffer=8k flush=now;
    access_log a.log combined gzip=10;
    access_log a.log combined flush=5s;
    access_log "logs/$host.log" combined buffer=8k;
    access_log syslog:server=127.0.0.1 combined buffer=8k;
    access_log b.log combined buffer=8k;
    access_log b.log combined buffer=8k flush=1s;
    open_log_file_cache inactive=5s;
    server { open_log_file_cache max=0; }
    server { open_log_file_cache max=5 valid=0; }
    server { open_log_file_cache on; }
  })"),
              ElementsAre("invalid parameter \"nonsense\"", "invalid parameter \"combined\"",
                          "invalid buffer size \"0\"", "invalid flush time \"now\"",
                          "invalid compression level \"10\"",
                          "no buffer is defined for access_log \"a.log\"",
                          "buffered logs cannot have variables in name",
                          "logs to syslog cannot be buffered",
                          "access_log \"b.log\" already defined with conflicting parameters",
                          "\"open_log_file_cache\" must have \"max\" parameter",
                          "invalid \"open_log_file_cache\" parameter \"max=0\"",
                          "invalid \"open_log_file_cache\" parameter \"valid=0\"",
                          "invalid \"open_log_file_cache\" parameter \"on\""));
}

TEST_F(AccessLogTest, ReadsHowLinesAreGathered) {
  load(R"(http {
    access_log a.log;
    access_log a.log combined gzip flush=5m;
    access_log b.log combined buffer=1k;
    access_log c.log;
  })");
  EXPECT_THAT(messages(), IsEmpty());
  LogCompiler compiler(http(), destinations(), variables, diagnostics);
  const Logs logs = compiler.compile(http());
  ASSERT_EQ(logs->size(), 4U);
  EXPECT_EQ((*logs)[0].target, (*logs)[1].target) << "a file has one buffer";
  const Gathering& packed = (*logs)[0].target->gathering;
  EXPECT_EQ(packed.size, 65536U);
  EXPECT_EQ(packed.delay, std::chrono::minutes(5));
  EXPECT_EQ(packed.gzip_level, 1);
  EXPECT_EQ((*logs)[2].target->gathering.size, 1024U);
  EXPECT_EQ((*logs)[2].target->gathering.delay, std::nullopt);
  EXPECT_EQ((*logs)[3].target->gathering, Gathering{});
}

TEST_F(AccessLogTest, ReadsSyslogServers) {
  files.add_host("log.test", {"192.0.2.7", "192.0.2.8"});
  load(
      R"(error_log syslog:server=[::1]:5514,facility=daemon,tag=edge,severity=alert,nohostname info;
    http {
      access_log syslog:server=192.0.2.1;
      access_log syslog:server=log.test:99,severity=debug;
      access_log syslog:server=unix:/dev/log;
    })");
  EXPECT_THAT(messages(), IsEmpty());
  const auto& first = error_log_of(root, nullptr)->outputs().front().syslog->options();
  EXPECT_EQ(first.server.text(), "[::1]:5514");
  EXPECT_EQ(first.facility, 3);
  EXPECT_EQ(first.tag, "edge");
  EXPECT_FALSE(first.hostname);
  LogCompiler compiler(http(), destinations(), variables, diagnostics);
  const Logs logs = compiler.compile(http());
  ASSERT_EQ(logs->size(), 3U);
  const auto options = [&logs](std::size_t i) { return (*logs)[i].target->syslog->options(); };
  EXPECT_EQ(options(0).server.text(), "192.0.2.1:514");
  EXPECT_EQ(options(0).facility, 23);
  EXPECT_EQ(options(0).severity, 6);
  EXPECT_EQ(options(0).tag, "sallyport");
  EXPECT_EQ(options(1).server.text(), "192.0.2.7:99");
  EXPECT_EQ(options(1).severity, 7);
  EXPECT_EQ(options(2).server.text(), "unix:/dev/log");
}

TEST_F(AccessLogTest, RefusesWrongSyslogServersInNginxsWords) {
  const std::string longest(33, 't');
  EXPECT_THAT(errors_of(R"(http {
    access_log syslog:;
    access_log syslog:facility=user;
    access_log syslog:server=gone.test;
    access_log syslog:server=127.0.0.1:port;
    access_log syslog:server=unix:;
    access_log syslog:server=127.0.0.1,server=127.0.0.1;
    access_log syslog:server=127.0.0.1,facility=none;
    access_log syslog:server=127.0.0.1,severity=none;
    access_log syslog:server=127.0.0.1,tag=a-b;
    access_log syslog:server=127.0.0.1,tag=)" +
                        longest + R"(;
    access_log syslog:server=127.0.0.1,nonsense;
  })"),
              ElementsAre("no syslog server specified", "no syslog server specified",
                          "host not found in syslog server \"gone.test\"",
                          "invalid port in syslog server \"127.0.0.1:port\"",
                          "invalid path of syslog server \"unix:\"", "duplicate syslog \"server\"",
                          "unknown syslog facility \"none\"", "unknown syslog severity \"none\"",
                          "syslog \"tag\" only allows alphanumeric characters and underscore",
                          "syslog tag length exceeds 32", "unknown syslog parameter \"nonsense\""));
}

TEST_F(AccessLogTest, SharesTheCacheOfFilesBetweenLevelsThatInheritIt) {
  load(R"(http {
    access_log "/none/$host.log";
    open_log_file_cache max=10 inactive=20s valid=1m min_uses=2;
    server {
      location / { }
      location /own { access_log "/none/$uri.log"; }
      location /off { open_log_file_cache off; }
    }
  })");
  EXPECT_THAT(messages(), IsEmpty());
  LogCompiler compiler(http(), destinations(), variables, diagnostics);
  EXPECT_EQ(compiler.compile(location(0)), compiler.compile(http()));
  const auto paths = [&](std::size_t i) {
    return compiler.compile(location(i))->front().target->paths;
  };
  EXPECT_EQ(paths(0)->options().max, 10U);
  EXPECT_EQ(paths(0)->options().inactive, std::chrono::seconds(20));
  EXPECT_EQ(paths(0)->options().min_uses, 2U);
  EXPECT_EQ(paths(1), paths(0));
  EXPECT_EQ(paths(2)->options().max, 0U);
}

TEST_F(AccessLogTest, ReportsAFileThatCannotBeOpened) {
  files.add_failure("/prefix/a.log", base::error_from_errno(EACCES));
  EXPECT_THAT(errors_of("http { access_log a.log; }"),
              ElementsAre("open() \"/prefix/a.log\" failed (13: Permission denied)"));
}

TEST_F(AccessLogTest, ErrorLogsAreInherited) {
  load(R"(error_log main.log warn;
    http {
      error_log http.log info format=json;
      server { location / { } location /own { error_log stderr; } }
    })");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(error_log_of(root, nullptr)->level(), observe::Level::warn);
  const auto inherited = error_log_of(location(0), nullptr);
  EXPECT_EQ(inherited, error_log_of(http(), nullptr));
  EXPECT_EQ(inherited->level(), observe::Level::info);
  EXPECT_EQ(error_log_of(location(1), nullptr)->level(), observe::Level::error);
  inherited->write(observe::Level::info, "hello");
  EXPECT_THAT(files.text_of("/prefix/http.log"), HasSubstr("\"message\":\"hello\""));
}

TEST_F(AccessLogTest, ErrorLogFallsBackToTheProgramsOwn) {
  load("http { }");
  const auto own = std::make_shared<const observe::ErrorLog>(observe::Level::error);
  EXPECT_EQ(error_log_of(http(), own), own);
}

TEST_F(AccessLogTest, RefusesWrongErrorLogs) {
  EXPECT_THAT(errors_of(R"(error_log a.log loud;
    error_log a.log error format=xml;
    error_log syslog:server=a;
    error_log memory:4k debug;
    error_log off;
    error_log b.log;)"),
              ElementsAre("invalid value \"loud\" in \"error_log\" directive",
                          "invalid value \"format=xml\" in \"error_log\" directive",
                          "host not found in syslog server \"a\"",
                          "invalid value \"memory:4k\" in \"error_log\" directive",
                          "\"error_log off\" logs to a file named \"off\""));
}

TEST_F(AccessLogTest, KeepsAnErrorLogInMemory) {
  load("error_log memory:16k notice; http { }");
  EXPECT_THAT(messages(), IsEmpty());
  const auto log = error_log_of(http(), nullptr);
  log->write(observe::Level::notice, "to be remembered");
  log->write(observe::Level::info, "not to be");
  EXPECT_THAT(
      observe::MemoryLog::of_process().text(),
      AllOf(HasSubstr("[notice]"), HasSubstr("to be remembered\n"), Not(HasSubstr("not to be"))));
}

TEST_F(AccessLogTest, WritesToAllErrorLogsOfABlock) {
  load(R"(error_log main.log;
    http { error_log a.log warn; error_log b.log info format=json; })");
  EXPECT_THAT(messages(), IsEmpty());
  const auto log = error_log_of(http(), nullptr);
  log->write(observe::Level::info, "quiet");
  log->write(observe::Level::warn, "loud");
  EXPECT_THAT(files.text_of("/prefix/a.log"), Not(HasSubstr("quiet")));
  EXPECT_THAT(files.text_of("/prefix/a.log"), HasSubstr("[warn]"));
  EXPECT_THAT(files.text_of("/prefix/b.log"), HasSubstr("\"message\":\"quiet\""));
  EXPECT_THAT(files.text_of("/prefix/b.log"), HasSubstr("\"message\":\"loud\""));
  EXPECT_EQ(files.text_of("/prefix/main.log"), "");
}

}  // namespace
}  // namespace accesslog
