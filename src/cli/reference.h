// The reference of the language, made from the tables of directives and variables: for
// `sallyport directives`, whose Markdown is docs/guide/directives.md. What a build prints is what
// that build does; no second text has to follow the tables by hand.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "config/directive.h"
#include "config/interpreter.h"
#include "script/variables.h"

namespace cli {

/// What the reference is made from. All of it outlives whoever reads it.
struct Tables {
  std::span<const config::Feature> features;
  config::UnsupportedTable unsupported;
  std::span<const script::VariableTable> variables;
  std::span<const script::UnsupportedVariable> unsupported_variables;

  /// Those of this build.
  [[nodiscard]] static Tables of_this_build();
};

/// "status_pages" as "Status pages".
[[nodiscard]] std::string title_of(std::string_view feature);

/// "proxy_pass URL;", "server { ... }".
[[nodiscard]] std::string call_of(const config::DirectiveSpec& spec);

/// For people, 80 columns: everything, or the directives of one name, or one variable ("$host").
/// The error says that there is no such name, and which one was probably meant.
[[nodiscard]] std::expected<std::string, std::string> reference_text(const Tables& tables,
                                                                     std::string_view name);
/// The same as JSON: {"directives": [...], "unsupported": [...], "variables": [...], ...}.
[[nodiscard]] std::expected<std::string, std::string> reference_json(const Tables& tables,
                                                                     std::string_view name);
/// docs/guide/directives.md.
[[nodiscard]] std::string reference_markdown(const Tables& tables);

enum class ReferenceForm : std::uint8_t { text, json, markdown };

/// Prints; the exit status. `name` is empty for everything.
[[nodiscard]] int print_reference(std::string_view name, ReferenceForm form);

}  // namespace cli
