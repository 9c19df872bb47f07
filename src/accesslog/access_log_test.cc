#include "accesslog/access_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/interpreter.h"
#include "config/memory_files.h"
#include "config/parser.h"
#include "io/testing/fake_clock.h"

namespace accesslog {
namespace {

using config::Context;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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
      LogCompiler compiler(http(), variables, diagnostics);
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
  LogCompiler compiler(http(), variables, diagnostics);
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
  LogCompiler plain(http(), variables, diagnostics);
  EXPECT_THAT(*plain.compile(location(0)), IsEmpty());
  const auto file = *root.options<LogFiles>().open("logs/access.log", files);
  LogCompiler compat(http(), variables, diagnostics, file);
  ASSERT_EQ(compat.compile(location(0))->size(), 1U);
  log(compat.compile(location(0)), 200);
  EXPECT_THAT(files.text_of("/prefix/logs/access.log"), HasSubstr(" 200 0 \"-\" \"-\"\n"));
}

TEST_F(AccessLogTest, LogsOnlyWhereItsConditionHolds) {
  load(R"(http {
    log_format short '$status';
    access_log a.log short if=$request_method;
  })");
  LogCompiler compiler(http(), variables, diagnostics);
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

TEST_F(AccessLogTest, RefusesWhatItDoesNotDoYet) {
  EXPECT_THAT(errors_of(R"(http {
    access_log syslog:server=a;
    access_log "logs/$host.log";
    access_log a.log combined buffer=32k flush=5s;
    access_log a.log combined gzip;
    access_log a.log combined nonsense;
    access_log off combined;
  })"),
              ElementsAre("logging to syslog is not supported yet",
                          "variables in the path of an access log are not supported yet",
                          "the \"buffer\" parameter is not supported yet",
                          "the \"flush\" parameter is not supported yet",
                          "the \"gzip\" parameter is not supported yet",
                          "invalid parameter \"nonsense\"", "invalid parameter \"combined\""));
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
    error_log memory:32m debug;
    error_log off;
    error_log b.log;)"),
              ElementsAre("invalid value \"loud\" in \"error_log\" directive",
                          "invalid value \"format=xml\" in \"error_log\" directive",
                          "logging to syslog is not supported yet",
                          "logging to memory is not supported yet",
                          "\"error_log off\" logs to a file named \"off\"",
                          "several \"error_log\" directives in one block are not supported yet"));
}

}  // namespace
}  // namespace accesslog
