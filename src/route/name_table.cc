#include "route/name_table.h"

#include "base/text.h"

namespace route {

NameTable::Added NameTable::insert(Map& map, std::string key, std::size_t value) {
  return map.emplace(std::move(key), value).second ? Added::ok : Added::duplicate;
}

NameTable::Added NameTable::add(std::string_view name, std::size_t value) {
  const std::string lower = base::lower(name);
  const std::string_view text = lower;
  if (text.find('\0') != std::string_view::npos) return Added::invalid;
  if (text.starts_with("*.") && text.size() > 2 && text.find('*', 1) == std::string_view::npos) {
    return insert(leading_, std::string(text.substr(1)), value);
  }
  if (text.ends_with(".*") && text.size() > 2 && text.find('*') == text.size() - 1) {
    return insert(trailing_, std::string(text.substr(0, text.size() - 1)), value);
  }
  if (text.find('*') != std::string_view::npos) return Added::invalid;
  if (text.starts_with('.') && text.size() > 1) {
    const Added with_star = insert(leading_, lower, value);
    const Added bare = insert(exact_, std::string(text.substr(1)), value);
    return with_star == Added::ok && bare == Added::ok ? Added::ok : Added::duplicate;
  }
  return insert(exact_, lower, value);
}

void NameTable::add(script::Pattern pattern, std::size_t value) {
  patterns_.push_back({std::move(pattern), value});
}

std::optional<NameMatch> NameTable::find(std::string_view host, base::Captures& captures,
                                         script::Slots slots) const {
  if (const auto found = exact_.find(host); found != exact_.end()) return NameMatch{found->second};
  if (!leading_.empty()) {
    for (auto dot = host.find('.', 1); dot != std::string_view::npos;
         dot = host.find('.', dot + 1)) {
      const auto found = leading_.find(host.substr(dot));
      if (found != leading_.end()) return NameMatch{found->second};
    }
  }
  if (!trailing_.empty() && host.size() > 1) {
    // The longest first; something must stand where the star is.
    for (auto dot = host.rfind('.', host.size() - 2); dot != std::string_view::npos && dot > 0;
         dot = host.rfind('.', dot - 1)) {
      const auto found = trailing_.find(host.substr(0, dot + 1));
      if (found != trailing_.end()) return NameMatch{found->second};
    }
  }
  for (const Entry& entry : patterns_) {
    if (entry.pattern.match(host, captures, slots).value_or(false)) {
      return NameMatch{entry.value, &entry.pattern};
    }
  }
  return std::nullopt;
}

}  // namespace route
