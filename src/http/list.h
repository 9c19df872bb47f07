// ListReader: the elements of a comma-separated field value (RFC 9110 §5.6.1), empty ones skipped.
// For lists of tokens; it knows no quoted strings.
#pragma once

#include <optional>
#include <string_view>

#include "base/text.h"

namespace http {

class ListReader {
 public:
  explicit ListReader(std::string_view value) noexcept : rest_(value) {}

  /// The next element without white space around it, or nothing at the end.
  [[nodiscard]] std::optional<std::string_view> next() noexcept {
    while (!rest_.empty()) {
      const std::string_view element = base::trim(base::split_first(rest_, ','));
      if (!element.empty()) return element;
    }
    return std::nullopt;
  }

 private:
  std::string_view rest_;
};

/// Whether the list has that token, in any letter case.
[[nodiscard]] inline bool list_has(std::string_view value, std::string_view token) noexcept {
  ListReader elements(value);
  while (const auto element = elements.next()) {
    if (base::equal_ignoring_case(*element, token)) return true;
  }
  return false;
}

}  // namespace http
