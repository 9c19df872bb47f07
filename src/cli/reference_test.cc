#include "cli/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const config::DirectiveSpec kGates[] = {
    {.name = "gate",
     .contexts = config::Context::http | config::Context::server,
     .repeat = config::Repeat::repeatable,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether *the* gate is open."},
    {.name = "wall",
     .contexts = config::Context::main,
     .arguments = config::takes(1),
     .block = config::opens(config::Context::http),
     .syntax = "NAME",
     .documentation = "A block."},
};
const config::Feature kFeatures[] = {{"real_ip", kGates, nullptr}};
constexpr config::UnsupportedSpec kMissing[] = {
    {"fence", config::Context::server, "later", config::UnsupportedSpec::Policy::refused,
     "use a wall"},
    {"paint", config::Context::http, "later", config::UnsupportedSpec::Policy::harmless, ""},
};
const script::VariableSpec kSpecs[] = {
    {.name = "gate_", .kind = script::VariableSpec::Kind::family, .documentation = "a gate"},
    {.name = "height", .documentation = "the \"height\""},
};
const script::VariableTable kVariables[] = {kSpecs};
constexpr script::UnsupportedVariable kMissingVariables[] = {{"depth", "later"}};
const Tables kTables{.features = kFeatures,
                     .unsupported = kMissing,
                     .variables = kVariables,
                     .unsupported_variables = kMissingVariables};

TEST(Reference, ShowsADirectiveWithAllThatItsTableSays) {
  EXPECT_EQ(reference_text(kTables, "gate"),
            "gate on | off;\n"
            "    Whether *the* gate is open.\n"
            "    In http or server. May be repeated. Default: off\n");
  EXPECT_EQ(reference_text(kTables, "wall"), "wall NAME { ... }\n    A block.\n    In main.\n");
}

TEST(Reference, SaysWhyADirectiveIsRefusedAndThatOneIsHarmless) {
  EXPECT_EQ(reference_text(kTables, "fence"),
            "fence\n    Of nginx's, refused: use a wall.\n    In server.\n");
  EXPECT_THAT(*reference_text(kTables, "paint"), HasSubstr("loads without effect"));
}

TEST(Reference, ShowsVariablesAlsoByAMemberOfAFamily) {
  EXPECT_EQ(reference_text(kTables, "$height"), "$height\n    The \"height\".\n");
  EXPECT_EQ(reference_text(kTables, "$gate_x"), "$gate_NAME\n    A gate.\n");
  EXPECT_EQ(reference_text(kTables, "$depth"), "$depth\n    Of nginx's, not supported yet.\n");
}

TEST(Reference, ProposesWhatWasMeant) {
  EXPECT_EQ(reference_text(kTables, "gaet").error(),
            "unknown directive \"gaet\", did you mean \"gate\"?");
  EXPECT_EQ(reference_text(kTables, "$hieght").error(),
            "unknown variable \"$hieght\", did you mean \"$height\"?");
  EXPECT_EQ(reference_text(kTables, "nothing_like_it").error(),
            "unknown directive \"nothing_like_it\"");
  EXPECT_THAT(reference_text(kTables, std::string(100000, 'x')).error(), HasSubstr("unknown"));
  EXPECT_FALSE(reference_json(kTables, "gaet").has_value());
}

TEST(Reference, HasAllOfItAsJson) {
  const auto json = nlohmann::json::parse(*reference_json(kTables, ""));
  const auto gate = json["directives"][0];
  EXPECT_EQ(gate["name"], "gate");
  EXPECT_EQ(gate["feature"], "real_ip");
  EXPECT_EQ(gate["contexts"], (nlohmann::json{"http", "server"}));
  EXPECT_EQ(gate["syntax"], "gate on | off;");
  EXPECT_EQ(gate["repeatable"], true);
  EXPECT_EQ(gate["default"], "off");
  EXPECT_TRUE(json["directives"][1]["default"].is_null());
  EXPECT_EQ(json["unsupported"][0]["instead"], "use a wall");
  EXPECT_EQ(json["unsupported"][0]["refused"], true);
  EXPECT_EQ(json["variables"][0]["prefix"], true);
  EXPECT_EQ(json["unsupported_variables"][0]["name"], "depth");
}

TEST(Reference, EscapesMarkdown) {
  const std::string page = reference_markdown(kTables);
  EXPECT_THAT(page, HasSubstr("\n## Real IP\n\n### gate\n\n```\ngate on | off;\n```\n\n"
                              "Whether \\*the\\* gate is open.\n\nIn http or server. May be "
                              "repeated. Default: `off`.\n"));
  EXPECT_THAT(page, HasSubstr("\nUse a wall:\n`fence`\n"));
  EXPECT_THAT(page, HasSubstr("| `$gate_NAME` | a gate |"));
}

TEST(Reference, FitsATerminal) {
  std::istringstream lines(*reference_text(Tables::of_this_build(), ""));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

// One style: a sentence that stands alone for a directive, a phrase for a variable.
TEST(Reference, IsCompleteAndInOneStyle) {
  const Tables tables = Tables::of_this_build();
  for (const config::Feature& feature : tables.features) {
    for (const config::DirectiveSpec& spec : feature.directives) {
      const std::string_view text = spec.documentation;
      ASSERT_FALSE(text.empty()) << spec.name;
      EXPECT_TRUE(text.ends_with('.')) << spec.name;
      EXPECT_FALSE(text.front() >= 'a' && text.front() <= 'z') << spec.name;
      EXPECT_FALSE(text.starts_with("The same,")) << spec.name << " refers to a neighbour";
      EXPECT_FALSE(spec.syntax.empty() && spec.arguments.min != 0) << spec.name;
      EXPECT_FALSE(spec.default_text.ends_with('.')) << spec.name;
      EXPECT_FALSE(spec.contexts.empty()) << spec.name;
    }
  }
  for (const script::VariableTable& table : tables.variables) {
    for (const script::VariableSpec& spec : table) {
      ASSERT_FALSE(spec.documentation.empty()) << spec.name;
      EXPECT_FALSE(spec.documentation.ends_with('.')) << spec.name;
      EXPECT_FALSE(spec.documentation.starts_with("The ")) << spec.name;
    }
  }
}

TEST(Reference, GivesADefaultToEverySwitch) {
  for (const config::Feature& feature : Tables::of_this_build().features) {
    for (const config::DirectiveSpec& spec : feature.directives) {
      const bool is_switch = spec.syntax == "on | off" || spec.syntax == "TIME";
      const bool tunes_nothing = spec.documentation.starts_with("For nginx's files");
      if (!is_switch || tunes_nothing) continue;
      if (spec.name == "worker_shutdown_timeout") continue;  // none: it waits for ever
      EXPECT_FALSE(spec.default_text.empty()) << spec.name;
    }
  }
}

}  // namespace
}  // namespace cli
