#include "cli/difference_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cli {
namespace {

using snapshot::Change;
using snapshot::Difference;
using snapshot::ItemKind;
using testing::HasSubstr;
using testing::Not;

TEST(DifferenceText, SaysSoWhenThereIsNone) {
  EXPECT_EQ(render_difference({}), "Nothing differs.\n");
  EXPECT_FALSE(nlohmann::json::parse(difference_json({}))["differs"].get<bool>());
}

TEST(DifferenceText, ShowsWhatIsGoneAndWhatCame) {
  const Difference difference{{{.kind = ItemKind::upstream,
                                .key = "app",
                                .before = {"server 10.0.0.2"},
                                .after = {"server 10.0.0.3"}},
                               {.kind = ItemKind::location,
                                .what = Change::What::added,
                                .key = "a:80 x: /new",
                                .after = {"return 200"}}}};
  EXPECT_EQ(render_difference(difference),
            "~ upstream app\n"
            "    - server 10.0.0.2\n"
            "    + server 10.0.0.3\n"
            "+ location a:80 x: /new\n"
            "    + return 200\n"
            "\n"
            "locations: 1 added; upstreams: 1 changed\n");
}

TEST(DifferenceText, TellsTogetherWhatChangedAlike) {
  Difference difference;
  for (int i = 0; i < 100; ++i) {
    difference.changes.push_back({.kind = ItemKind::location,
                                  .key = "server" + std::to_string(i) + ": /",
                                  .after = {"proxy_read_timeout 7s"}});
  }
  const std::string text = render_difference(difference);
  EXPECT_THAT(text, HasSubstr("~ location server4: /\n~ and 95 more locations, alike\n"));
  EXPECT_THAT(text, Not(HasSubstr("server5")));
}

TEST(DifferenceText, Fits80Columns) {
  const Difference difference{{{.kind = ItemKind::server,
                                .key = std::string(200, 'k') + " name",
                                .before = {"map " + std::string(300, 'v')}}}};
  const std::string text = render_difference(difference);
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    EXPECT_LE(end, 80U);
    rest.remove_prefix(end + 1);
  }
}

}  // namespace
}  // namespace cli
