#include "route/route_table.h"

#include <utility>

namespace route {

RouteTable::RouteTable() = default;
RouteTable::~RouteTable() = default;
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;

bool RouteTable::add(std::unique_ptr<Location> location) {
  const std::size_t index = locations_.size();
  const std::string& name = location->name;
  bool added = true;
  switch (location->kind) {
    case Location::Kind::exact: added = exact_.emplace(name, index).second; break;
    case Location::Kind::named: added = named_.emplace(name, index).second; break;
    case Location::Kind::prefix:
    case Location::Kind::prefix_final: added = prefixes_.add(name, index); break;
    case Location::Kind::regex: patterns_.push_back(index); break;
  }
  if (!added) return false;
  if (location->redirect_without_slash && name.size() > 1 && name.ends_with('/')) {
    without_slash_.emplace(name.substr(0, name.size() - 1), index);
  }
  locations_.push_back(std::move(location));
  return true;
}

struct RouteTable::Search {
  std::string_view path;
  base::Captures& captures;
  script::Slots slots;
  Match match;
};

// True when the search is decided, false when `state.match` holds at most a prefix that a regular
// expression of an outer level may still replace.
base::Result<bool> RouteTable::search(Search& state) const {
  if (const auto found = exact_.find(state.path); found != exact_.end()) {
    state.match = {locations_[found->second].get(), false};
    return true;
  }
  bool final_prefix = false;
  const auto prefix = prefixes_.longest(state.path);
  if (const auto slash = without_slash_.find(state.path); slash != without_slash_.end()) {
    state.match = {locations_[slash->second].get(), true};
    return true;
  }
  if (prefix) {
    const Location& location = *locations_[*prefix];
    final_prefix = location.kind == Location::Kind::prefix_final;
    state.match = {&location, false};
    if (location.nested) {
      TRY(const bool decided, location.nested->search(state));
      if (decided) return true;
    }
  }
  if (final_prefix) return false;
  for (const std::size_t index : patterns_) {
    const Location& location = *locations_[index];
    TRY(const bool matched, location.pattern->match(state.path, state.captures, state.slots));
    if (!matched) continue;
    state.match = {&location, false};
    if (location.nested) TRY_VOID(location.nested->search(state));
    return true;
  }
  return false;
}

base::Result<RouteTable::Match> RouteTable::match(std::string_view path, base::Captures& captures,
                                                  script::Slots slots) const {
  Search state{path, captures, slots, {}};
  TRY_VOID(search(state));
  return state.match;
}

const Location* RouteTable::find_named(std::string_view name) const noexcept {
  const auto found = named_.find(name);
  return found == named_.end() ? nullptr : locations_[found->second].get();
}

}  // namespace route
