#include "route/unreachable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "config/interpreter.h"
#include "config/memory_files.h"
#include "config/parser.h"
#include "route/route_options.h"

namespace route {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr config::DirectiveSpec kBlocks[] = {{.name = "http",
                                              .contexts = config::Context::main,
                                              .arguments = config::takes(0),
                                              .block = config::opens(config::Context::http),
                                              .documentation = "d"}};

class Unreachable : public ::testing::Test {
 protected:
  /// The locations that are said to be out of reach.
  std::vector<std::string> among(const std::string& locations) {
    config::MemoryFiles files;
    config::Tree tree;
    config::Level root;
    const std::array features{
        config::Feature{.name = "blocks", .directives = kBlocks, .inherit = nullptr}, kFeature};
    const config::Vocabulary vocabulary(features, {});
    diagnostics_ = {};
    config::parse_text("t.conf", "http { server {\n" + locations + "\n} }", files, diagnostics_,
                       tree);
    config::interpret(tree, vocabulary, root, diagnostics_, files, {});
    EXPECT_FALSE(diagnostics_.has_errors()) << diagnostics_.render();
    warn_of_unreachable(*root.children()[0]->children()[0], diagnostics_);
    std::vector<std::string> names;
    for (const auto& each : diagnostics_.list()) {
      std::string name = each.message.substr(each.message.find('"') + 1);
      names.push_back(name.substr(0, name.find("\" can never match")));
    }
    return names;
  }
  config::Diagnostics diagnostics_;
};

TEST_F(Unreachable, SaysNothingOfOrdinaryLocations) {
  EXPECT_THAT(among("location / {} location = / {} location /a/ {} location ^~ /a/b/ {}"
                    "location ~ \\.php$ {} location ~* \\.png$ {} location @named {}"),
              IsEmpty());
}

TEST_F(Unreachable, FindsAPatternTwice) {
  EXPECT_THAT(among("location ~ \\.php$ {} location ~ \\.css$ {}\nlocation ~ \\.php$ {}"),
              ElementsAre("~ \\.php$"));
  EXPECT_THAT(diagnostics_.list()[0].hint,
              HasSubstr("location \"~ \\.php$\" in t.conf:2 has the same pattern"));
  EXPECT_EQ(diagnostics_.list()[0].line, 3U);
}

TEST_F(Unreachable, KnowsThatCaseMatters) {
  EXPECT_THAT(among("location ~* \\.php$ {} location ~ \\.php$ {}"), ElementsAre("~ \\.php$"));
  EXPECT_THAT(among("location ~ \\.php$ {} location ~* \\.php$ {}"), IsEmpty());
}

TEST_F(Unreachable, FindsWhatComesBehindAPatternForEverything) {
  for (const std::string all : {".*", "/", "^/", "^/(.*)$", "."}) {
    EXPECT_THAT(among("location ~ " + all + " {} location ~ \\.php$ {}"), ElementsAre("~ \\.php$"))
        << all;
    EXPECT_THAT(among("location ~ \\.php$ {} location ~ " + all + " {}"), IsEmpty()) << all;
  }
}

TEST_F(Unreachable, FindsPrefixesThatAPatternForEverythingTakes) {
  EXPECT_THAT(among("location /a {} location = /b {} location ^~ /c {} location ~ .* {}"),
              ElementsAre("/a"));
  EXPECT_THAT(among("location /a { location ~ x {} } location ~ .* {}"), IsEmpty());
}

TEST_F(Unreachable, FindsPatternsBehindAFinalPrefix) {
  EXPECT_THAT(among("location ^~ /static/ {} location ~ ^/static/.*\\.css$ {}"),
              ElementsAre("~ ^/static/.*\\.css$"));
  EXPECT_THAT(among("location ^~ /static/ {} location ~ ^/stat {}"), IsEmpty());
  EXPECT_THAT(among("location ^~ /static/ {} location ~* ^/static/ {}"), IsEmpty());
  EXPECT_THAT(among("location ^~ /static/ {} location ~ ^/static/|^/other {}"), IsEmpty());
  EXPECT_THAT(among("location ^~ /s/ {} location ~ ^/s/? {}"), IsEmpty());
}

TEST_F(Unreachable, LeavesPatternsThatALongerPrefixLetsIn) {
  EXPECT_THAT(among("location ^~ /s/ {} location /s/t/ {} location ~ ^/s/ {}"), IsEmpty());
  EXPECT_THAT(among("location ^~ /s/ {} location /s/t/ {} location ~ ^/s/u/ {}"),
              ElementsAre("~ ^/s/u/"));
}

TEST_F(Unreachable, FindsAPatternForOnePathThatIsGivenExactly) {
  EXPECT_THAT(among("location = /a.b {} location ~ ^/a\\.b$ {}"), ElementsAre("~ ^/a\\.b$"));
  EXPECT_THAT(among("location = /a.b {} location ~ ^/a\\.b {}"), IsEmpty());
}

}  // namespace
}  // namespace route
