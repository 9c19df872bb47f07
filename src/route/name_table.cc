#include "route/name_table.h"

namespace route {

void NameTable::add(script::Pattern pattern, std::size_t value) {
  patterns_.push_back({std::move(pattern), value});
}

std::optional<NameMatch> NameTable::find(std::string_view host, base::Captures& captures,
                                         script::Slots slots) const {
  if (const auto found = names_.find(host)) return NameMatch{*found};
  for (const Entry& entry : patterns_) {
    if (entry.pattern.match(host, captures, slots).value_or(false)) {
      return NameMatch{entry.value, &entry.pattern};
    }
  }
  return std::nullopt;
}

}  // namespace route
