// Pattern: a regular expression of the configuration whose groups become variables.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/regex.h"
#include "base/result.h"
#include "config/diagnostics.h"
#include "script/subject.h"
#include "script/variables.h"

namespace script {

class Pattern {
 public:
  /// Named groups get slots. Nothing, and reported at `at`, when the expression is malformed.
  [[nodiscard]] static std::optional<Pattern> compile(std::string_view expression,
                                                      base::Regex::Case letter_case,
                                                      config::Position at, Variables& variables,
                                                      config::Diagnostics& diagnostics);

  /// A match replaces the subject's captures and sets the slots of the named groups; no match
  /// leaves both as they were. `text` lives as long as the subject. Errors as base::Regex::match.
  [[nodiscard]] base::Result<bool> match(std::string_view text, Subject& subject) const;
  [[nodiscard]] base::Result<bool> match(std::string_view text, base::Captures& captures,
                                         Slots slots) const;

  [[nodiscard]] const base::Regex& regex() const noexcept { return regex_; }

 private:
  explicit Pattern(base::Regex regex) : regex_(std::move(regex)) {}

  base::Regex regex_;
  std::vector<std::pair<std::size_t, std::size_t>> named_;  // group, slot
};

}  // namespace script
