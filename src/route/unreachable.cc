#include "route/unreachable.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "route/route_options.h"

namespace route {
namespace {

using Kind = Location::Kind;

struct Entry {
  const LocationOptions* options;
  bool has_nested;
};

std::string written(const LocationOptions& location) {
  switch (location.kind) {
    case Kind::exact: return "= " + location.name;
    case Kind::prefix_final: return "^~ " + location.name;
    case Kind::regex: return (location.ignore_case ? "~* " : "~ ") + location.name;
    case Kind::prefix:
    case Kind::named: break;
  }
  return location.name;
}

/// Patterns that match every path, which always has a slash at its beginning.
bool matches_everything(const LocationOptions& location) {
  constexpr std::array<std::string_view, 20> kPatterns{
      "",    ".",    ".*",   ".+",    "/",     "^",   "^/",   "^.*",    "^.+",   "^/.*",
      "/.*", "(.*)", "(.+)", "^(.*)", "/(.*)", ".*$", "^.*$", "^(.*)$", "^/.*$", "^/(.*)$"};
  return location.kind == Kind::regex &&
         std::ranges::find(kPatterns, location.name) != kPatterns.end();
}

bool is_literal(char c) noexcept {
  constexpr std::string_view kSpecial = "\\^$.[|()?*+{";
  return !kSpecial.contains(c);
}

/// What every path begins with that "^..." matches; "" if that is not plain to see.
std::string literal_head(const LocationOptions& location, bool& is_whole) {
  is_whole = false;
  std::string_view rest = location.name;
  if (location.ignore_case || !rest.starts_with('^') || rest.contains('|')) return {};
  rest.remove_prefix(1);
  std::string head;
  while (!rest.empty()) {
    char c = rest.front();
    std::size_t used = 1;
    if (c == '\\' && rest.size() > 1 && (rest[1] == '.' || rest[1] == '/' || rest[1] == '-')) {
      c = rest[1];
      used = 2;
    } else if (!is_literal(c)) {
      break;
    }
    const char next = rest.size() > used ? rest[used] : '\0';
    if (next == '?' || next == '*' || next == '{') break;  // c itself may be missing
    head += c;
    rest.remove_prefix(used);
  }
  is_whole = rest == "$";
  return head;
}

class Search {
 public:
  Search(const config::Level& outer, config::Diagnostics& diagnostics) : diagnostics_(diagnostics) {
    for (const auto& child : outer.children()) {
      const auto* options = child->find<LocationOptions>();
      if (child->context() != config::Context::location || options == nullptr) continue;
      const bool nested = std::ranges::any_of(child->children(), [](const auto& inner) {
        return inner->context() == config::Context::location;
      });
      entries_.push_back({options, nested});
    }
  }

  void run() {
    for (const Entry& entry : entries_) {
      if (entry.options->kind == Kind::regex) judge_regex(*entry.options);
    }
    const auto all = std::ranges::find_if(
        entries_, [](const Entry& entry) { return matches_everything(*entry.options); });
    if (all == entries_.end()) return;
    for (const Entry& entry : entries_) {
      // One with locations inside may still find one of those.
      if (entry.options->kind == Kind::prefix && !entry.has_nested) {
        warn(*entry.options, *all->options,
             "matches every path before it is used; ^~ or = do not "
             "look at regular expressions");
      }
    }
  }

 private:
  void judge_regex(const LocationOptions& regex) {
    for (const Entry& entry : entries_) {
      const LocationOptions& other = *entry.options;
      if (&other == &regex) break;  // those behind it do not matter
      if (other.kind != Kind::regex) continue;
      if (other.name == regex.name && (other.ignore_case || !regex.ignore_case)) {
        return warn(regex, other, "has the same pattern and comes first");
      }
      if (matches_everything(other)) {
        return warn(regex, other, "comes first and matches every path");
      }
    }
    bool is_whole = false;
    const std::string head = literal_head(regex, is_whole);
    if (head.empty()) return;
    for (const Entry& entry : entries_) {
      const LocationOptions& other = *entry.options;
      if (other.kind == Kind::exact && is_whole && other.name == head) {
        return warn(regex, other, "is the only path that it matches, and comes first");
      }
      if (other.kind == Kind::prefix_final && head.starts_with(other.name) &&
          no_longer_prefix(head, other.name.size())) {
        return warn(regex, other, "comes first: behind ^~ no regular expression is looked at");
      }
    }
  }

  /// No ordinary prefix longer than `size` could be the longest one for a path that begins with
  /// `head`, and let regular expressions be looked at again.
  bool no_longer_prefix(std::string_view head, std::size_t size) const {
    return std::ranges::none_of(entries_, [&](const Entry& entry) {
      const LocationOptions& other = *entry.options;
      return other.kind == Kind::prefix && other.name.size() > size &&
             (head.starts_with(other.name) || other.name.starts_with(head));
    });
  }

  void warn(const LocationOptions& location, const LocationOptions& first, std::string_view why) {
    diagnostics_.warning(location.where,
                         fmt::format("location \"{}\" can never match", written(location)),
                         fmt::format("location \"{}\" in {} {}", written(first),
                                     diagnostics_.place(first.where), why));
  }

  config::Diagnostics& diagnostics_;
  std::vector<Entry> entries_;
};

}  // namespace

void warn_of_unreachable(const config::Level& outer, config::Diagnostics& diagnostics) {
  Search(outer, diagnostics).run();
}

}  // namespace route
