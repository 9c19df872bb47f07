// NameHash: from host names and nginx's wildcards to small numbers, in nginx's order: the exact
// name; the longest wildcard with a leading star ("*.example.com"); the longest with a trailing one
// ("mail.*"). Letter case does not count.
//
// A look-up reads the name once for each kind of wildcard, whatever the name: it may be a client's
// header of many kilobytes that is all dots.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "script/caseless_table.h"

namespace script {

class NameHash {
 public:
  enum class Added : std::uint8_t { ok, duplicate, invalid };

  /// "example.com", "*.example.com", ".example.com" (both of the former), "mail.*", "" (no name).
  /// A star stands for any text, none included. `invalid`: a star elsewhere, or two dots in a row.
  /// `duplicate`: the first one stays.
  [[nodiscard]] Added add(std::string_view name, std::uint32_t value);
  /// Without wildcards: any text.
  [[nodiscard]] Added add_exact(std::string_view text, std::uint32_t value) {
    return exact_.add(text, value) ? Added::ok : Added::duplicate;
  }

  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const noexcept;

  [[nodiscard]] bool empty() const noexcept {
    return exact_.empty() && leading_.empty() && trailing_.empty();
  }

 private:
  [[nodiscard]] std::optional<std::uint32_t> find_leading(std::string_view name) const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> find_trailing(std::string_view name) const noexcept;

  CaselessTable exact_;
  CaselessTable leading_{CaselessTable::Order::backward};  // ".example.com" for "*.example.com"
  CaselessTable trailing_;  // "mail." for "mail.*"
};

}  // namespace script
