#include "snapshot/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <tuple>

#include "snapshot/canonical.h"

namespace snapshot {
namespace {

using Texts = std::vector<std::string_view>;

Texts texts_of(const Outline& outline, const Item& item) {
  Texts texts;
  texts.reserve(item.settings.size());
  for (const std::uint32_t number : item.settings) texts.push_back(outline.texts[number]);
  return texts;
}

std::vector<std::string> shown(const Texts& texts) {
  std::vector<std::string> all;
  all.reserve(texts.size());
  for (const std::string_view text : texts) all.push_back(without_marks(text));
  return all;
}

// In the order of `from`: what is not in `other`, as often as it is not.
Texts only_in(const Texts& from, Texts other) {
  Texts only;
  std::ranges::sort(other);
  for (const std::string_view text : from) {
    const auto same = std::ranges::lower_bound(other, text);
    if (same != other.end() && *same == text) {
      other.erase(same);
    } else {
      only.push_back(text);
    }
  }
  return only;
}

std::string_view plural(ItemKind kind) noexcept {
  switch (kind) {
    case ItemKind::process: return "settings";
    case ItemKind::listener: return "listeners";
    case ItemKind::certificate: return "certificates";
    case ItemKind::upstream: return "upstreams";
    case ItemKind::server: return "servers";
    case ItemKind::location: return "locations";
  }
  return "";
}

}  // namespace

Difference difference(const Outline& before, const Outline& after) {
  Difference result;
  const auto alone = [&](const Outline& outline, const Item& item, Change::What what) {
    Change change{.kind = item.kind, .what = what, .key = item.key};
    auto& side = what == Change::What::added ? change.after : change.before;
    side = shown(texts_of(outline, item));
    result.changes.push_back(std::move(change));
  };
  auto old = before.items.begin();
  auto now = after.items.begin();
  while (old != before.items.end() || now != after.items.end()) {
    if (now == after.items.end() ||
        (old != before.items.end() &&
         std::tie(old->kind, old->key) < std::tie(now->kind, now->key))) {
      alone(before, *old++, Change::What::removed);
      continue;
    }
    if (old == before.items.end() ||
        std::tie(now->kind, now->key) < std::tie(old->kind, old->key)) {
      alone(after, *now++, Change::What::added);
      continue;
    }
    const Texts left = texts_of(before, *old);
    const Texts right = texts_of(after, *now);
    if (left != right) {
      Change change{.kind = old->kind, .what = Change::What::changed, .key = old->key};
      change.before = shown(only_in(left, right));
      change.after = shown(only_in(right, left));
      change.reordered = change.before.empty() && change.after.empty();
      result.changes.push_back(std::move(change));
    }
    ++old;
    ++now;
  }
  return result;
}

std::string summary(const Difference& difference) {
  if (difference.empty()) return "nothing changed";
  std::array<std::array<std::size_t, 3>, kItemKinds> counts{};
  for (const Change& change : difference.changes) {
    ++counts[static_cast<std::size_t>(change.kind)][static_cast<std::size_t>(change.what)];
  }
  // What matters most first: the clients' side.
  constexpr std::array kOrder{ItemKind::server,      ItemKind::location, ItemKind::upstream,
                              ItemKind::certificate, ItemKind::listener, ItemKind::process};
  std::string text;
  for (const ItemKind kind : kOrder) {
    const auto& [removed, added, changed] = counts[static_cast<std::size_t>(kind)];
    std::string_view before = "";
    const auto tell = [&](std::size_t count, std::string_view what) {
      if (count == 0) return;
      text += before.empty() ? fmt::format("{}{}: ", text.empty() ? "" : "; ", plural(kind))
                             : std::string(before);
      text += fmt::format("{} {}", count, what);
      before = ", ";
    };
    tell(added, "added");
    tell(removed, "removed");
    tell(changed, "changed");
  }
  return text;
}

std::string reload_report(const Snapshot& before, const Snapshot& after) {
  return summary(difference(outline(before), outline(after)));
}

}  // namespace snapshot
