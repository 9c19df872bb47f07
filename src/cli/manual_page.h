// sallyport.conf(5), made from the tables of directives and variables: the manual of a build says
// what that build does, and no second text has to follow the first. In the macros of man(7),
// because mdoc(7) takes words of the tables for macros of its own. Made at installation
// (cmake/install.cmake).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/directive.h"
#include "script/variables.h"

namespace cli {

/// The first argument that makes main() print the page; nobody types it.
inline constexpr std::string_view kManualPageArgument = "manual-page";

/// `text` as roff shows it letter by letter: no escapes, no typographic quotes or dashes. Control
/// characters become spaces.
[[nodiscard]] std::string escape_roff(std::string_view text);

/// One line of text in a page: as escape_roff, and never taken for a request.
[[nodiscard]] std::string roff_line(std::string_view text);

[[nodiscard]] std::string manual_page(std::span<const config::Feature> features,
                                      std::span<const script::VariableTable> variables);

/// Prints the page of this build. The exit status.
[[nodiscard]] int print_manual_page();

}  // namespace cli
