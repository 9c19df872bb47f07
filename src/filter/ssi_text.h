// What stands in the values of SSI commands: texts with variables, and the conditions of `if`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace filter {

/// A variable's value by its name in lower case; nothing where it has none.
using SsiLookup = std::function<std::optional<std::string_view>(std::string_view name)>;

/// The text with its $name and ${name} replaced, and \\ \' \" \$ taken for what they stand for. The
/// error's context is nginx's sentence, and has no end.
[[nodiscard]] base::Result<std::string> expand_ssi(std::string_view text, const SsiLookup& lookup);

/// "LEFT", "LEFT = RIGHT", "LEFT != RIGHT", "LEFT = /REGEX/", "LEFT != /REGEX/".
struct SsiCondition {
  std::string left;  // in lower case
  std::optional<std::string> right;  // nothing: is `left` empty?
  bool is_regex = false;
  bool negative = false;
};
/// Nothing: it is none.
[[nodiscard]] std::optional<SsiCondition> parse_ssi_condition(std::string_view expression);

/// `echo`'s encodings: & < > " as entities, and nginx's escapes for HTML's URLs.
[[nodiscard]] std::string escape_entities(std::string_view text);
[[nodiscard]] std::string escape_for_url(std::string_view text);

}  // namespace filter
