#include "script/pattern.h"

#include <fmt/format.h>

namespace script {

std::optional<Pattern> Pattern::compile(std::string_view expression, base::Regex::Case letter_case,
                                        config::Position at, Variables& variables,
                                        config::Diagnostics& diagnostics) {
  auto regex = base::Regex::compile(expression, letter_case);
  if (!regex) {
    const base::Regex::CompileError& error = regex.error();
    const std::size_t offset = std::min(error.offset, expression.size());
    diagnostics.error(
        at, offset == expression.size()
                ? fmt::format("pcre2_compile() failed: {} in \"{}\"", error.message, expression)
                : fmt::format("pcre2_compile() failed: {} in \"{}\" at \"{}\"", error.message,
                              expression, expression.substr(offset)));
    return std::nullopt;
  }
  Pattern pattern(std::move(*regex));
  bool sound = true;
  for (const base::Regex::NamedGroup& group : pattern.regex_.named_groups()) {
    if (group.index >= base::Captures::kMax) {
      diagnostics.error(at, fmt::format("the group \"{}\" in \"{}\" is beyond the first {}",
                                        group.name, expression, base::Captures::kMax - 1));
      sound = false;
    } else if (const auto slot = variables.declare(group.name, at, diagnostics)) {
      pattern.named_.emplace_back(group.index, *slot);
    } else {
      sound = false;
    }
  }
  if (!sound) return std::nullopt;
  return pattern;
}

base::Result<bool> Pattern::match(std::string_view text, Subject& subject) const {
  return match(text, subject.captures, subject.slots);
}

base::Result<bool> Pattern::match(std::string_view text, base::Captures& captures,
                                  Slots slots) const {
  if (regex_.group_count() == 0) {
    TRY(const bool matched, regex_.match(text, nullptr));
    // nginx counts such a match too: $1 of an earlier one is gone.
    if (matched) captures = base::Captures{};
    return matched;
  }
  base::Captures found;
  TRY(const bool matched, regex_.match(text, &found));
  if (!matched) return false;
  captures = found;
  for (const auto& [group, slot] : named_) {
    if (slot < slots.size()) slots[slot] = found[group];
  }
  return true;
}

}  // namespace script
