#include "cli/difference_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>
#include <vector>

#include "cli/columns.h"

namespace cli {
namespace {

using snapshot::Change;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMostNames = 5;      // of items that changed alike
constexpr std::size_t kMostSettings = 20;  // of one item

char sign_of(Change::What what) noexcept {
  switch (what) {
    case Change::What::added: return '+';
    case Change::What::removed: return '-';
    case Change::What::changed: return '~';
  }
  return ' ';
}

std::string_view word_of(Change::What what) noexcept {
  switch (what) {
    case Change::What::added: return "added";
    case Change::What::removed: return "removed";
    case Change::What::changed: return "changed";
  }
  return "";
}

void add_settings(std::string& out, const std::vector<std::string>& settings, char sign) {
  for (std::size_t i = 0; i < settings.size(); ++i) {
    if (i == kMostSettings) {
      out += fmt::format("      and {} more, see --format json\n", settings.size() - i);
      break;
    }
    out += wrapped(fmt::format("{} {}", sign, settings[i]), 4, 8);
  }
}

using Alike = std::vector<const Change*>;

// In the order of the first of each.
std::vector<Alike> together(const snapshot::Difference& difference) {
  std::vector<Alike> all;
  using Key = std::tuple<snapshot::ItemKind, Change::What, std::vector<std::string>,
                         std::vector<std::string>>;
  std::map<Key, std::size_t> known;
  for (const Change& change : difference.changes) {
    if (change.what != Change::What::changed || change.reordered) {
      all.push_back({&change});
      continue;
    }
    const auto [at, is_new] =
        known.try_emplace({change.kind, change.what, change.before, change.after}, all.size());
    if (is_new) all.emplace_back();
    all[at->second].push_back(&change);
  }
  return all;
}

}  // namespace

std::string render_difference(const snapshot::Difference& difference) {
  if (difference.empty()) return "Nothing differs.\n";
  std::string out;
  for (const Alike& alike : together(difference)) {
    for (std::size_t i = 0; i < alike.size(); ++i) {
      if (i == kMostNames && alike.size() > kMostNames + 1) {
        out += fmt::format("~ and {} more {}s, alike\n", alike.size() - i,
                           name_of(alike.front()->kind));
        break;
      }
      const Change& change = *alike[i];
      out += wrapped(
          fmt::format("{} {} {}", sign_of(change.what), name_of(change.kind), change.key), 0, 4);
    }
    add_settings(out, alike.front()->before, '-');
    add_settings(out, alike.front()->after, '+');
    if (alike.front()->reordered) out += "    the same settings in another order\n";
  }
  return out + '\n' + wrapped(snapshot::summary(difference), 0, 2);
}

std::string difference_json(const snapshot::Difference& difference) {
  Json json{{"differs", !difference.empty()},
            {"summary", snapshot::summary(difference)},
            {"changes", Json::array()}};
  for (const Change& change : difference.changes) {
    json["changes"].push_back({{"kind", name_of(change.kind)},
                               {"what", word_of(change.what)},
                               {"key", change.key},
                               {"before", change.before},
                               {"after", change.after},
                               {"reordered", change.reordered}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cli
