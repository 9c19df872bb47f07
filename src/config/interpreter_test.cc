#include "config/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/memory_files.h"
#include "config/parser.h"
#include "config/setters.h"

namespace config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

enum class Mode : std::uint8_t { off, fast, safe };
constexpr Choice<Mode> kModes[] = {{"off", Mode::off}, {"fast", Mode::fast}, {"safe", Mode::safe}};

struct ProxyOptions {
  Setting<bool> buffering{true};
  Setting<std::chrono::milliseconds> read_timeout{60s};
  Setting<std::uint64_t> buffer_size{4096};
  Setting<std::uint16_t> depth{1};
  Setting<std::string> name{"none"};
  Setting<Mode> mode{Mode::off};
  Setting<std::chrono::seconds> age{1s};
  Setting<std::vector<std::string>> hidden{{"Date"}};
  auto settings(this auto& self) {
    return std::tie(self.buffering, self.read_timeout, self.buffer_size, self.depth, self.name,
                    self.mode, self.age, self.hidden);
  }
};

constexpr DirectiveSpec kProxyDirectives[] = {
    {.name = "proxy_buffering",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether answers are read ahead of the client.",
     .set = set_flag<&ProxyOptions::buffering>},
    {.name = "proxy_read_timeout",
     .contexts = kHttpServerLocation | Context::if_in_location,
     .syntax = "TIME",
     .documentation = "How long to wait.",
     .set = set_duration<&ProxyOptions::read_timeout>},
    {.name = "proxy_buffer_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .documentation = "How large.",
     .set = set_size<&ProxyOptions::buffer_size>},
    {.name = "proxy_depth",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .documentation = "How deep.",
     .set = set_number<&ProxyOptions::depth, 1>},
    {.name = "proxy_name",
     .contexts = kHttpServerLocation,
     .documentation = "What name.",
     .set = set_text<&ProxyOptions::name>},
    {.name = "proxy_mode",
     .contexts = kHttpServerLocation,
     .documentation = "Which mode.",
     .set = set_enum<&ProxyOptions::mode, kModes>},
    {.name = "proxy_age",
     .contexts = kHttpServerLocation,
     .documentation = "How old.",
     .set = set_duration<&ProxyOptions::age>},
    {.name = "proxy_hide_header",
     .contexts = kHttpServerLocation,
     .repeat = Repeat::repeatable,
     .documentation = "What to hide.",
     .set = append_texts<&ProxyOptions::hidden>},
};

struct ServerOptions {  // a server's own
  std::vector<std::string> listens;
};
struct MimeTypes {
  Setting<std::vector<std::string>> types;
  auto settings(this auto& self) { return std::tie(self.types); }
};

void set_listen(Binding& binding) {
  binding.options<ServerOptions>().listens.push_back(binding.argument(0));
}
void set_types(Binding& binding) {
  for (const Directive& entry : binding.directive.block) {
    for (const Word& extension : entry.arguments) {
      binding.options<MimeTypes>().types.append(entry.name.text + "=" + extension.text,
                                                binding.where());
    }
  }
}
void set_certificate(Binding& binding) { (void)binding.open(0, Purpose::certificate); }
void set_location(Binding& binding) {
  if (!binding.argument(0).starts_with('/')) binding.error("a location begins with \"/\"");
}

constexpr DirectiveSpec kCoreDirectives[] = {
    {.name = "pid", .contexts = Context::main, .documentation = "d"},
    {.name = "error_log",
     .contexts = Context::main | kHttpServerLocation,
     .arguments = takes_at_least(1),
     .repeat = Repeat::repeatable,
     .documentation = "d"},
    {.name = "http",
     .contexts = Context::main,
     .arguments = takes(0),
     .block = opens(Context::http),
     .documentation = "d"},
    {.name = "server",
     .contexts = Context::http,
     .arguments = takes(0),
     .block = opens(Context::server),
     .repeat = Repeat::repeatable,
     .documentation = "d"},
    {.name = "server",
     .contexts = Context::upstream,
     .arguments = takes_at_least(1),
     .repeat = Repeat::repeatable,
     .documentation = "d"},
    {.name = "upstream",
     .contexts = Context::http,
     .block = opens(Context::upstream),
     .repeat = Repeat::repeatable,
     .documentation = "d"},
    {.name = "location",
     .contexts = Context::server | Context::location,
     .arguments = takes(1, 2),
     .block = opens(Context::location),
     .repeat = Repeat::repeatable,
     .syntax = "[=|~|~*|^~] URI",
     .documentation = "d",
     .set = set_location},
    {.name = "listen",
     .contexts = Context::server,
     .repeat = Repeat::repeatable,
     .documentation = "d",
     .set = set_listen},
    {.name = "types",
     .contexts = kHttpServerLocation,
     .arguments = takes(0),
     .block = kRawBlock,
     .documentation = "d",
     .set = set_types},
    {.name = "ssl_certificate",
     .contexts = kHttpServer,
     .documentation = "d",
     .set = set_certificate},
};

constexpr Feature kFeatures[] = {
    {.name = "core", .directives = kCoreDirectives, .inherit = inherit_options<MimeTypes>},
    {.name = "proxy", .directives = kProxyDirectives, .inherit = inherit_options<ProxyOptions>},
};
constexpr UnsupportedSpec kUnsupported[] = {
    {"aio", kHttpServerLocation, "later", UnsupportedSpec::Policy::harmless, ""},
    {"gzip", kHttpServerLocation, "language", UnsupportedSpec::Policy::harmless, ""},
    {"mirror", kHttpServerLocation, "language", UnsupportedSpec::Policy::refused, ""},
    {"auth_basic", kHttpServerLocation, "language", UnsupportedSpec::Policy::refused,
     "ask the backend for passwords"},
};

struct Interpreted {
  MemoryFiles files;
  Diagnostics diagnostics;
  Tree tree;
  Level root;
  Vocabulary vocabulary{kFeatures, kUnsupported};

  explicit Interpreted(std::string text) {
    files.add("good.pem", "x");
    parse_text("/etc/t.conf", std::move(text), files, diagnostics, tree);
    wrap_bare_servers(tree, vocabulary);
    interpret(tree, vocabulary, root, diagnostics, files, {});
  }
  /// "MESSAGE LINE:COLUMN" of each message, with "(HINT)".
  [[nodiscard]] std::vector<std::string> messages() const {
    std::vector<std::string> out;
    for (const Diagnostic& each : diagnostics.list()) {
      out.push_back(each.message + " " + std::to_string(each.line) + ":" +
                    std::to_string(each.column) +
                    (each.hint.empty() ? "" : " (" + each.hint + ")"));
    }
    return out;
  }
  [[nodiscard]] const Level& http() const { return *root.children().back(); }
  [[nodiscard]] const Level& server(std::size_t i = 0) const { return *http().children()[i]; }
  [[nodiscard]] const Level& location(std::size_t i = 0) const { return *server().children()[i]; }
};

TEST(Interpreter, InheritsWhatALevelDoesNotSet) {
  const Interpreted made(R"(http {
    proxy_buffering off;
    proxy_hide_header A;
    proxy_hide_header B C;
    server {
      proxy_read_timeout 5s;
      proxy_hide_header D;
      location / { proxy_buffering on; proxy_buffer_size 8k; proxy_depth 3; proxy_mode safe; }
      location /b { location /b/c { proxy_name x; } }
    }
    server { }
  })");
  // proxy_hide_header takes one argument here.
  ASSERT_EQ(made.diagnostics.error_count(), 1U);
  const auto& main = made.root.get<ProxyOptions>();
  EXPECT_TRUE(*main.buffering);
  EXPECT_THAT(*main.hidden, ElementsAre("Date"));
  const auto& http = made.http().get<ProxyOptions>();
  EXPECT_FALSE(*http.buffering);
  EXPECT_THAT(*http.hidden, ElementsAre("A"));
  const auto& first = made.location(0).get<ProxyOptions>();
  EXPECT_TRUE(*first.buffering);
  EXPECT_EQ(*first.read_timeout, 5s);
  EXPECT_EQ(*first.buffer_size, 8192U);
  EXPECT_EQ(*first.depth, 3);
  EXPECT_EQ(*first.mode, Mode::safe);
  EXPECT_EQ(*first.name, "none");
  EXPECT_FALSE(first.name.is_set);
  EXPECT_THAT(*first.hidden, ElementsAre("D"));
  const auto& nested = made.location(1).children()[0]->get<ProxyOptions>();
  EXPECT_FALSE(*nested.buffering);
  EXPECT_TRUE(nested.buffering.is_set);
  EXPECT_EQ(nested.buffering.where.line, 2U);
  EXPECT_EQ(*nested.name, "x");
  EXPECT_EQ(*made.server(1).get<ProxyOptions>().read_timeout, 60s);
}

TEST(Interpreter, SharesOptionsThatALevelDoesNotTouch) {
  const Interpreted made("server { location / { } }");
  EXPECT_EQ(made.location().find<ProxyOptions>(), made.root.find<ProxyOptions>());
  EXPECT_EQ(made.location().find<ServerOptions>(), nullptr);
}

TEST(Interpreter, ChoosesTheSpecByContext) {
  const Interpreted made("http { upstream u { server a; server b; } server { listen 1; } }");
  EXPECT_THAT(made.messages(), IsEmpty());
  EXPECT_EQ(made.http().children()[0]->context(), Context::upstream);
  EXPECT_EQ(made.http().children()[1]->context(), Context::server);
  EXPECT_THAT(made.server(1).get<ServerOptions>().listens, ElementsAre("1"));
}

TEST(Interpreter, HandsRawBlocksToTheirSetter) {
  const Interpreted made("http { types { text/html html htm; listen x; } }");
  EXPECT_THAT(made.messages(), IsEmpty());
  EXPECT_THAT(*made.http().get<MimeTypes>().types,
              ElementsAre("text/html=html", "text/html=htm", "listen=x"));
  EXPECT_THAT(Interpreted("http { types { a { b c; } } }").messages(),
              ElementsAre("unexpected \"{\" 1:18 (a \"types\" block holds no other blocks)"));
}

TEST(Interpreter, SuggestsNamesForUnknownDirectives) {
  EXPECT_THAT(Interpreted("server { lissten 80; }\nxyzzy on;").messages(),
              ElementsAre("unknown directive \"xyzzy\" 2:1",
                          "unknown directive \"lissten\" 1:10 (did you mean \"listen\"?)"));
}

TEST(Interpreter, SaysWhereADirectiveMayStand) {
  EXPECT_THAT(
      Interpreted("http { listen 80; location / { } proxy_name a; }").messages(),
      ElementsAre(
          "\"listen\" directive is not allowed here 1:8 (this is http; it may stand in server)",
          "\"location\" directive is not allowed here 1:19"
          " (this is http; it may stand in server or location)"));
}

TEST(Interpreter, ChecksTheNumberOfArguments) {
  EXPECT_THAT(
      Interpreted("server { proxy_buffering; proxy_buffering on off; location { } }").messages(),
      ElementsAre("invalid number of arguments in \"proxy_buffering\" directive 1:10"
                  " (syntax: proxy_buffering on | off;)",
                  "invalid number of arguments in \"proxy_buffering\" directive 1:27"
                  " (syntax: proxy_buffering on | off;)",
                  "invalid number of arguments in \"location\" directive 1:51"
                  " (syntax: location [=|~|~*|^~] URI { ... })"));
}

TEST(Interpreter, SuspectsAForgottenSemicolon) {
  EXPECT_THAT(Interpreted("server {\n proxy_depth 1\n listen 80;\n}").messages(),
              ElementsAre("invalid number of arguments in \"proxy_depth\" directive 2:2 (syntax: "
                          "proxy_depth NUMBER; Perhaps a \";\" is missing at the end of line 2)"));
}

TEST(Interpreter, ChecksBlocks) {
  EXPECT_THAT(Interpreted("http; server_x; ").messages(),
              ElementsAre("directive \"http\" has no opening \"{\" 1:1",
                          HasSubstr("unknown directive \"server_x\"")));
  EXPECT_THAT(Interpreted("server { listen 80 { } }").messages(),
              ElementsAre("directive \"listen\" is not terminated by \";\" 1:10"));
}

TEST(Interpreter, ReportsDuplicates) {
  EXPECT_THAT(
      Interpreted("server {\n proxy_depth 1;\n proxy_depth 2;\n}\nserver { proxy_depth 3; }")
          .messages(),
      ElementsAre("\"proxy_depth\" directive is duplicate 3:2"
                  " (it stands already in /etc/t.conf:2)"));
}

TEST(Interpreter, ReportsInvalidValues) {
  EXPECT_THAT(
      Interpreted("server { proxy_buffering yes; proxy_read_timeout soon; proxy_buffer_size 1x;"
                  " proxy_depth 0; proxy_mode fats; }")
          .messages(),
      ElementsAre("invalid value \"yes\" in \"proxy_buffering\" directive,"
                  " it must be \"on\" or \"off\" 1:26",
                  HasSubstr("invalid value \"soon\" in \"proxy_read_timeout\" directive 1:50 ("),
                  HasSubstr("invalid value \"1x\" in \"proxy_buffer_size\" directive 1:74 ("),
                  "invalid value \"0\" in \"proxy_depth\" directive 1:90"
                  " (it must be a number from 1 to 65535)",
                  "invalid value \"fats\" in \"proxy_mode\" directive 1:104"
                  " (did you mean \"fast\"?)"));
}

TEST(Interpreter, RefusesTimesThatASettingCannotHold) {
  EXPECT_EQ(*Interpreted("server { proxy_age 2m; }").server().get<ProxyOptions>().age, 120s);
  EXPECT_THAT(Interpreted("server { proxy_age 1s500ms; }").messages(),
              ElementsAre("invalid value \"1s500ms\" in \"proxy_age\" directive 1:20"
                          " (fractions of a second are not kept here)"));
}

TEST(Interpreter, ReportsFilesThatCannotBeOpened) {
  EXPECT_THAT(Interpreted("server { ssl_certificate good.pem; }").messages(), IsEmpty());
  EXPECT_THAT(Interpreted("server { ssl_certificate bad.pem; }").messages(),
              ElementsAre("open() \"/etc/bad.pem\" failed (2: No such file or directory) 1:26"));
}

TEST(Interpreter, GathersHarmlessDirectivesInOneWarning) {
  const Interpreted made("http { gzip on; aio on; server { gzip off; } }");
  EXPECT_FALSE(made.diagnostics.has_errors());
  EXPECT_THAT(made.messages(),
              ElementsAre("without effect until they are supported: \"gzip\" (2 times), \"aio\""
                          " 1:8"));
}

TEST(Interpreter, RefusesMeaningfulDirectivesByName) {
  EXPECT_THAT(Interpreted("server { mirror /m; auth_basic x; }").messages(),
              ElementsAre("\"mirror\" directive is not supported yet 1:10"
                          " (remove it; it is planned for stage \"language\")",
                          "\"auth_basic\" directive is not supported yet 1:21"
                          " (ask the backend for passwords)"));
  EXPECT_THAT(Interpreted("mirror /m;").messages(),
              ElementsAre(HasSubstr("\"mirror\" directive is not allowed here 1:1")));
}

TEST(Interpreter, ReportsAllErrorsOfAFileAtOnce) {
  const Interpreted made("server {\n listn 80;\n location x { proxy_depth a; }\n mirror m;\n}");
  EXPECT_EQ(made.diagnostics.error_count(), 4U);
}

TEST(BareServers, AreTakenAsTheInsideOfHttp) {
  const Interpreted made(
      "pid p;\nerror_log e;\nproxy_depth 4;\nupstream u { server a; }\n"
      "server { listen 80; }\n");
  EXPECT_THAT(made.messages(), IsEmpty());
  ASSERT_THAT(made.tree.directives, SizeIs(3));
  EXPECT_EQ(made.tree.directives[1].name.text, "error_log");
  EXPECT_THAT(made.tree.directives[2].block, SizeIs(3));
  EXPECT_EQ(*made.server(1).get<ProxyOptions>().depth, 4);
  EXPECT_EQ(made.http().where(), (Position{0, 5, 1}));
}

TEST(BareServers, AreNotAddedToAnHttpBlock) {
  EXPECT_THAT(Interpreted("http { }\nserver { }").messages(),
              ElementsAre(HasSubstr("\"server\" directive is not allowed here 2:1")));
}

TEST(Vocabulary, ListsEverySpecForTheReference) {
  const Vocabulary vocabulary(kFeatures, kUnsupported);
  const auto all = vocabulary.reference();
  ASSERT_THAT(all, SizeIs(std::size(kCoreDirectives) + std::size(kProxyDirectives)));
  EXPECT_EQ(all.front()->name, "error_log");
  EXPECT_EQ(all.back()->name, "upstream");
}

TEST(Level, FindsTheEnclosingLevel) {
  const Interpreted made("server { location / { location /a { } } }");
  const Level& inner = *made.location().children()[0];
  EXPECT_EQ(inner.enclosing(Context::server), &made.server());
  EXPECT_EQ(inner.enclosing(Context::location), &inner);
  EXPECT_EQ(inner.enclosing(Context::upstream), nullptr);
  EXPECT_EQ(inner.parent(), &made.location());
}

}  // namespace
}  // namespace config
