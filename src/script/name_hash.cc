#include "script/name_hash.h"

namespace script {

NameHash::Added NameHash::add(std::string_view name, std::uint32_t value) {
  const auto into = [value](CaselessTable& table, std::string_view key) {
    return table.add(key, value) ? Added::ok : Added::duplicate;
  };
  if (name.find('\0') != std::string_view::npos) return Added::invalid;
  if (name.find("..") != std::string_view::npos) return Added::invalid;
  const std::size_t star = name.find('*');
  if (star == std::string_view::npos) {
    if (name.size() < 2 || !name.starts_with('.')) return into(exact_, name);
    const Added with_star = into(leading_, name);
    const Added bare = into(exact_, name.substr(1));
    return with_star == Added::ok ? bare : with_star;
  }
  if (name.size() < 3 || name.find('*', star + 1) != std::string_view::npos) return Added::invalid;
  if (name.starts_with("*.")) return into(leading_, name.substr(1));
  if (name.ends_with(".*")) return into(trailing_, name.substr(0, name.size() - 1));
  return Added::invalid;
}

std::optional<std::uint32_t> NameHash::find(std::string_view name) const noexcept {
  auto found = exact_.find(name);
  if (!found && !leading_.empty()) found = find_leading(name);
  if (!found && !trailing_.empty()) found = find_trailing(name);
  return found;
}

// From the end, so that each suffix costs one more byte. The longest is the last one found.
std::optional<std::uint32_t> NameHash::find_leading(std::string_view name) const noexcept {
  std::optional<std::uint32_t> longest;
  std::uint32_t hash = CaselessTable::kSeed;
  for (std::size_t i = name.size(); i > 0; --i) {
    hash = CaselessTable::step(hash, name[i - 1]);
    if (name[i - 1] != '.') continue;
    if (const auto found = leading_.find(name.substr(i - 1), hash)) longest = found;
  }
  return longest;
}

std::optional<std::uint32_t> NameHash::find_trailing(std::string_view name) const noexcept {
  std::optional<std::uint32_t> longest;
  std::uint32_t hash = CaselessTable::kSeed;
  for (std::size_t i = 0; i < name.size(); ++i) {
    hash = CaselessTable::step(hash, name[i]);
    if (name[i] != '.') continue;
    if (const auto found = trailing_.find(name.substr(0, i + 1), hash)) longest = found;
  }
  return longest;
}

}  // namespace script
