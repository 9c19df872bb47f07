// needs: snapshot
// Outlines, which `diff` reads from a server's answer: what is accepted holds what outline.h says
// of it, and reads back when it is written.
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "base/check.h"
#include "snapshot/outline.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto outline = snapshot::parse_outline({reinterpret_cast<const char*>(data), size});
  if (!outline) return 0;
  for (const snapshot::Item& item : outline->items) {
    CHECK(static_cast<std::size_t>(item.kind) < snapshot::kItemKinds);
    for (const std::uint32_t setting : item.settings) CHECK(setting < outline->texts.size());
  }
  const auto key = [](const snapshot::Item& item) { return std::tie(item.kind, item.key); };
  CHECK(std::ranges::is_sorted(outline->items, {}, key));
  const auto again = snapshot::parse_outline(snapshot::to_json(*outline));
  CHECK(again.has_value());
  CHECK(again->texts == outline->texts && again->items.size() == outline->items.size());
  for (std::size_t i = 0; i < again->items.size(); ++i) {
    CHECK(key(again->items[i]) == key(outline->items[i]));
    CHECK(again->items[i].settings == outline->items[i].settings);
  }
  return 0;
}
