// Difference: what is not the same in two outlines: items added and removed, and for those that
// both have, the settings that only one of them has. Nothing secret is in it (canonical.h).
//
// Linear in the outlines, which are sorted by kind and key: one walk over both.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "snapshot/outline.h"

namespace snapshot {

struct Change {
  enum class What : std::uint8_t { removed, added, changed };
  ItemKind kind = ItemKind::process;
  What what = What::changed;
  std::string key;
  // changed: what only the one and only the other has. added, removed: everything.
  std::vector<std::string> before{};
  std::vector<std::string> after{};
  bool reordered = false;  // changed: the same settings in another order, and it counts

  [[nodiscard]] bool operator==(const Change&) const = default;
};

struct Difference {
  std::vector<Change> changes;  // by kind and key

  [[nodiscard]] bool empty() const noexcept { return changes.empty(); }
};

[[nodiscard]] Difference difference(const Outline& before, const Outline& after);

/// "servers: 1 added, 2 changed; locations: 3 removed", or "nothing changed".
[[nodiscard]] std::string summary(const Difference& difference);
/// The summary of a reload.
[[nodiscard]] std::string reload_report(const Snapshot& before, const Snapshot& after);

}  // namespace snapshot
