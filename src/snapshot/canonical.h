// A directive in the one notation that equal directives share: words apart by one space, quoted
// only where they must be, times and sizes in their largest unit, flags in small letters. What
// must not be shown (passwords, credentials in headers) is replaced by a mark that tells equal
// ones from others.
//
// Settings are compared by this text and not by the options that setters fill: every directive has
// it, also those that are written next year, and it is what an administrator reads. The way
// rejected, a comparison that each feature brings for its options, would show numbers for words.
#pragma once

#include <string>
#include <string_view>

#include "config/directive.h"
#include "config/tree.h"

namespace snapshot {

/// "proxy_set_header Host $host"; blocks in one line: "if ($slow) { return 429; }".
[[nodiscard]] std::string canonical(const config::Directive& directive,
                                    const config::DirectiveSpec& spec);
/// Only name and words, as they are: for blocks that no table knows.
[[nodiscard]] std::string canonical(const config::Directive& directive);

/// Does `text`, from canonical(), say what holds without it?
[[nodiscard]] bool is_default(std::string_view text, const config::DirectiveSpec& spec);

/// The text for people: what is hidden without its mark.
[[nodiscard]] std::string without_marks(std::string_view text);

}  // namespace snapshot
