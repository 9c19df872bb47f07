// The directive tree: what the lexer and the includes make of a configuration, before anyone has
// looked at a directive's name. Plain data.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"

namespace config {

struct Word {
  std::string text;  // without quotes, escapes replaced
  Position at;       // of its first byte; the opening quote's, if quoted
  bool quoted = false;
};

struct Directive {
  Word name;
  std::vector<Word> arguments;
  bool has_block = false;
  Position block_start;          // "{"
  std::vector<Directive> block;  // includes are already replaced by what they name
  Position block_end;            // "}"
};

struct Tree {
  std::vector<Directive> directives;
};

/// The first directive of that name at the top level, or null.
[[nodiscard]] const Directive* find_directive(const Tree& tree, std::string_view name) noexcept;

}  // namespace config
