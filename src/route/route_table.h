// RouteTable: from a canonical path to a Location, by nginx's rules:
//
//   1. an exact location (=) wins at once;
//   2. else the longest prefix location is remembered, and its nested locations are searched
//   likewise;
//   3. unless that prefix was marked ^~, the regular expressions of the level are tried in the
//   order
//      of the file, and the first that matches wins (its nested locations are searched, too);
//   4. else the remembered prefix serves.
//
// Immutable after the configuration is built; shared by threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "config/level.h"
#include "route/prefix_tree.h"
#include "script/pattern.h"

namespace route {

class RouteTable;

struct Location {
  enum class Kind : std::uint8_t { exact, prefix, prefix_final, regex, named };
  Kind kind = Kind::prefix;
  std::string name;                  // the path or the pattern, as written
  std::optional<script::Pattern> pattern;  // Kind::regex
  const config::Level* level = nullptr;    // its options; lives as long as the snapshot
  std::unique_ptr<RouteTable> nested;      // null if there are none
  /// A request for the name without its last slash is redirected to the name (proxy_pass and the
  /// like in "location /name/").
  bool redirect_without_slash = false;
};

class RouteTable {
 public:
  RouteTable();
  ~RouteTable();
  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;

  /// False if there is an equal one (same kind and name; exact and prefix differ).
  [[nodiscard]] bool add(std::unique_ptr<Location> location);

  struct Match {
    const Location* location = nullptr;  // null: nothing matches (nginx: the server's own level)
    bool redirect_to_slash = false;      // answer 301 to path + "/"
  };
  /// `captures` and `slots` are filled when a regular expression decided. Error exhausted: a
  /// regular expression took too many steps.
  [[nodiscard]] base::Result<Match> match(std::string_view path, base::Captures& captures,
                                          script::Slots slots) const;
  [[nodiscard]] const Location* find_named(std::string_view name) const noexcept;

  [[nodiscard]] const std::vector<std::unique_ptr<Location>>& locations() const noexcept {
    return locations_;
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Map = std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>>;
  struct Search;
  [[nodiscard]] base::Result<bool> search(Search& state) const;

  std::vector<std::unique_ptr<Location>> locations_;
  Map exact_;
  Map named_;
  Map without_slash_;  // "/name" of each prefix "/name/" that redirects
  PrefixTree prefixes_;
  std::vector<std::size_t> patterns_;
};

}  // namespace route
