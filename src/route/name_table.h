// NameTable: from a host name to what serves it, in nginx's order: the exact name; the longest
// wildcard with a leading star ("*.example.com"); the longest with a trailing one ("mail.*"); the
// first regular expression. Used by SNI (certificates) and by Host (virtual servers), so that both
// agree.
//
// All but the regular expressions are hash look-ups, one per label of the name.
// Immutable after the configuration is built; shared by threads.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "script/name_hash.h"
#include "script/pattern.h"

namespace route {

struct NameMatch {
  std::size_t value;
  const script::Pattern* pattern = nullptr;  // set when a regular expression decided
};

class NameTable {
 public:
  using Added = script::NameHash::Added;

  /// "example.com", "*.example.com", ".example.com" (both of the former), "mail.*", "" (no name).
  /// In any letter case. `invalid`: a star elsewhere. `duplicate`: the first one stays.
  [[nodiscard]] Added add(std::string_view name, std::size_t value) {
    return names_.add(name, static_cast<std::uint32_t>(value));
  }
  void add(script::Pattern pattern, std::size_t value);

  [[nodiscard]] bool has_patterns() const noexcept { return !patterns_.empty(); }

  /// `host` in lower case, without port. `captures` and `slots` are filled by a regular expression;
  /// one that exceeds its step limit counts as not matching.
  [[nodiscard]] std::optional<NameMatch> find(std::string_view host, base::Captures& captures,
                                              script::Slots slots) const;

 private:
  struct Entry {
    script::Pattern pattern;
    std::size_t value;
  };
  script::NameHash names_;
  std::vector<Entry> patterns_;
};

}  // namespace route
