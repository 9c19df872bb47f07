#include "script/caseless_table.h"

#include <limits>

#include "base/check.h"

namespace script {

std::uint32_t CaselessTable::hash_of(std::string_view key) const noexcept {
  std::uint32_t hash = kSeed;
  if (order_ == Order::forward) {
    for (const char c : key) hash = step(hash, c);
  } else {
    for (std::size_t i = key.size(); i > 0; --i) hash = step(hash, key[i - 1]);
  }
  return hash;
}

// Fibonacci hashing: the low bits of FNV depend on few of the text's.
std::size_t CaselessTable::first_place(std::uint32_t hash) const noexcept {
  const std::uint64_t mixed = hash * 0x9E3779B97F4A7C15ULL;
  return static_cast<std::size_t>(mixed >> 32U) & (places_.size() - 1);
}

std::optional<std::uint32_t> CaselessTable::find(std::string_view key,
                                                 std::uint32_t hash) const noexcept {
  if (places_.empty()) return std::nullopt;
  // Half of the places are empty, so the walk ends.
  for (std::size_t at = first_place(hash);; at = (at + 1) & (places_.size() - 1)) {
    if (places_[at] == 0) return std::nullopt;
    const Entry& entry = entries_[places_[at] - 1];
    if (entry.hash != hash || entry.size != key.size()) continue;
    const auto known = std::string_view(text_).substr(entry.start, entry.size);
    // Hosts, and most other keys, come in lower case already.
    if (known == key || base::equal_ignoring_case(known, key)) return entry.value;
  }
}

bool CaselessTable::add(std::string_view key, std::uint32_t value) {
  const std::uint32_t hash = hash_of(key);
  if (find(key, hash)) return false;
  CHECK(text_.size() + key.size() <= std::numeric_limits<std::uint32_t>::max());
  if (2 * (entries_.size() + 1) > places_.size()) grow();
  entries_.push_back({hash, static_cast<std::uint32_t>(text_.size()),
                      static_cast<std::uint32_t>(key.size()), value});
  text_ += base::lower(key);
  std::size_t at = first_place(hash);
  while (places_[at] != 0) at = (at + 1) & (places_.size() - 1);
  places_[at] = static_cast<std::uint32_t>(entries_.size());
  return true;
}

void CaselessTable::grow() {
  constexpr std::size_t kFirst = 16;
  places_.assign(places_.empty() ? kFirst : 2 * places_.size(), 0);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t at = first_place(entries_[i].hash);
    while (places_[at] != 0) at = (at + 1) & (places_.size() - 1);
    places_[at] = static_cast<std::uint32_t>(i + 1);
  }
}

}  // namespace script
