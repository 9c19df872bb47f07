#include "cli/reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "base/text.h"
#include "cli/columns.h"
#include "observe/journal.h"
#include "snapshot/features.h"

namespace cli {
namespace {

using config::DirectiveSpec;
using config::UnsupportedSpec;
using script::UnsupportedVariable;
using script::VariableSpec;

/// What one name means, or all names.
struct Selection {
  struct Group {
    std::string_view feature;
    std::vector<const DirectiveSpec*> directives;
  };
  std::vector<Group> groups;
  std::vector<const UnsupportedSpec*> unsupported;
  std::vector<const VariableSpec*> variables;  // by name
  std::vector<const UnsupportedVariable*> unsupported_variables;

  [[nodiscard]] bool empty() const noexcept {
    return groups.empty() && unsupported.empty() && variables.empty() &&
           unsupported_variables.empty();
  }
};

bool is_family(const VariableSpec& spec) { return spec.kind == VariableSpec::Kind::family; }

/// "$http_name" for a family.
std::string shown(const VariableSpec& spec) {
  return fmt::format("${}{}", spec.name, is_family(spec) ? "NAME" : "");
}

bool fits(const VariableSpec& spec, std::string_view name) {
  return is_family(spec) ? name.starts_with(spec.name) : name == spec.name;
}

bool fits(const UnsupportedVariable& spec, std::string_view name) {
  return spec.name.ends_with('*') ? name.starts_with(spec.name.substr(0, spec.name.size() - 1))
                                  : name == spec.name;
}

Selection select(const Tables& tables, std::string_view name) {
  const bool everything = name.empty();
  const bool variable = name.starts_with('$');
  if (variable) name.remove_prefix(1);
  Selection found;
  for (const config::Feature& feature : tables.features) {
    Selection::Group group{feature.name, {}};
    for (const DirectiveSpec& spec : feature.directives) {
      if (everything || (!variable && spec.name == name)) group.directives.push_back(&spec);
    }
    if (!group.directives.empty()) found.groups.push_back(std::move(group));
  }
  for (const UnsupportedSpec& spec : tables.unsupported) {
    if (everything || (!variable && spec.name == name)) found.unsupported.push_back(&spec);
  }
  for (const script::VariableTable& table : tables.variables) {
    for (const VariableSpec& spec : table) {
      if (everything || (variable && fits(spec, name))) found.variables.push_back(&spec);
    }
  }
  std::ranges::sort(found.variables, {}, &VariableSpec::name);
  for (const UnsupportedVariable& spec : tables.unsupported_variables) {
    if (everything || (variable && fits(spec, name))) found.unsupported_variables.push_back(&spec);
  }
  return found;
}

std::string no_such_name(const Tables& tables, std::string_view name) {
  const Selection all = select(tables, "");
  std::set<std::string> known;
  if (name.starts_with('$')) {
    for (const VariableSpec* spec : all.variables) known.insert(fmt::format("${}", spec->name));
    for (const UnsupportedVariable* spec : all.unsupported_variables) {
      known.insert(fmt::format("${}", spec->name));
    }
  } else {
    for (const auto& group : all.groups) {
      for (const DirectiveSpec* spec : group.directives) known.emplace(spec->name);
    }
    for (const UnsupportedSpec* spec : all.unsupported) known.emplace(spec->name);
  }
  const std::vector<std::string_view> words(known.begin(), known.end());
  constexpr std::size_t kLongest = 64;
  const auto meant = name.size() > kLongest ? std::nullopt : base::nearest(name, words);
  return fmt::format("unknown {} \"{}\"{}", name.starts_with('$') ? "variable" : "directive", name,
                     meant ? fmt::format(", did you mean \"{}\"?", *meant) : "");
}

std::expected<Selection, std::string> find(const Tables& tables, std::string_view name) {
  Selection found = select(tables, name);
  if (found.empty()) return std::unexpected(no_such_name(tables, name));
  return found;
}

bool is_harmless(const UnsupportedSpec& spec) {
  return spec.policy == UnsupportedSpec::Policy::harmless;
}

std::string_view instead_of(const UnsupportedSpec& spec) {
  return spec.hint.empty() ? "remove it" : spec.hint;
}

/// A sentence that stands alone.
std::string sentence(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out.front() >= 'a' && out.front() <= 'z') {
    out.front() = static_cast<char>(out.front() - 'a' + 'A');
  }
  if (!out.empty() && out.back() != '.') out += '.';
  return out;
}

// --- text

void add_text(std::string& out, const DirectiveSpec& spec) {
  out += wrapped(call_of(spec), 0, 8);
  out += wrapped(sentence(spec.documentation), 4, 4);
  out += wrapped(
      fmt::format("In {}.{}{}", config::describe(spec.contexts),
                  spec.repeat == config::Repeat::repeatable ? " May be repeated." : "",
                  spec.default_text.empty() ? std::string()
                                            : fmt::format(" Default: {}", spec.default_text)),
      4, 4);
}

void add_text(std::string& out, const UnsupportedSpec& spec) {
  out += wrapped(spec.name, 0, 8);
  out += wrapped(is_harmless(spec)
                     ? std::string("Of nginx's, not supported yet; loads without effect.")
                     : fmt::format("Of nginx's, refused: {}.", instead_of(spec)),
                 4, 4);
  out += wrapped(fmt::format("In {}.", config::describe(spec.contexts)), 4, 4);
}

void add_text(std::string& out, const VariableSpec& spec) {
  out += shown(spec) + "\n";
  out += wrapped(sentence(spec.documentation), 4, 4);
}

// --- JSON

nlohmann::ordered_json names_of(config::ContextSet contexts) {
  auto names = nlohmann::ordered_json::array();
  for (std::uint32_t bit = 1; bit != 0; bit <<= 1U) {
    const auto context = static_cast<config::Context>(bit);
    if (contexts.contains(context)) names.push_back(config::name_of(context));
  }
  return names;
}

nlohmann::ordered_json json_of(const DirectiveSpec& spec, std::string_view feature) {
  return {{"name", spec.name},
          {"feature", feature},
          {"contexts", names_of(spec.contexts)},
          {"syntax", call_of(spec)},
          {"block", spec.block.kind != config::Block::Kind::none},
          {"repeatable", spec.repeat == config::Repeat::repeatable},
          {"default", spec.default_text.empty() ? nlohmann::ordered_json()
                                                : nlohmann::ordered_json(spec.default_text)},
          {"documentation", spec.documentation}};
}

nlohmann::ordered_json json_of(const UnsupportedSpec& spec) {
  return {{"name", spec.name},
          {"contexts", names_of(spec.contexts)},
          {"refused", !is_harmless(spec)},
          {"instead", is_harmless(spec) ? "" : instead_of(spec)}};
}

// --- Markdown

/// Text in a line of Markdown: no emphasis, no links, no tags.
std::string escape_markdown(std::string_view text) {
  constexpr std::string_view kSpecial = "\\*_<>[]|#";
  std::string out;
  for (const char c : text) {
    if (kSpecial.contains(c)) out += '\\';
    out += c;
  }
  return out;
}

constexpr std::string_view kHead = R"(# Directives and variables

Every directive of the configuration, feature by feature: how it is written, what it does, in which
blocks it may stand, what holds without it. [Differences from nginx](differences.md) and
[limits](limits.md) have pages of their own.

This page is printed by the program and not edited by hand. A new one is made by
`sallyport directives --markdown > docs/guide/directives.md`; a single directive is shown by
`sallyport directives NAME`, a variable by `sallyport directives '$NAME'`.
)";

void add_markdown(std::string& out, const DirectiveSpec& spec) {
  fmt::format_to(std::back_inserter(out), "\n### {}\n\n```\n{}\n```\n\n{}\n\nIn {}.{}{}\n",
                 spec.name, call_of(spec), escape_markdown(sentence(spec.documentation)),
                 config::describe(spec.contexts),
                 spec.repeat == config::Repeat::repeatable ? " May be repeated." : "",
                 spec.default_text.empty() ? std::string()
                                           : fmt::format(" Default: `{}`.", spec.default_text));
}

/// The names in one paragraph, each once.
std::string listed(const std::set<std::string_view>& names) {
  return fmt::format("`{}`", fmt::join(names, "`, `"));
}

void add_unsupported(std::string& out, const Selection& all) {
  std::set<std::string_view> harmless;
  std::map<std::string_view, std::set<std::string_view>> refused;  // by the way out
  for (const UnsupportedSpec* spec : all.unsupported) {
    if (is_harmless(*spec)) {
      harmless.insert(spec->name);
    } else {
      refused[instead_of(*spec)].insert(spec->name);
    }
  }
  out += "\n## Directives of nginx's that are refused\n";
  out += "\nThey have a meaning that would be lost in silence, so each is an error by its name.\n";
  for (const auto& [hint, names] : refused) {
    fmt::format_to(std::back_inserter(out), "\n{}:\n{}\n", sentence(hint).substr(0, hint.size()),
                   listed(names));
  }
  out += "\n## Directives of nginx's that load without effect\n";
  out += "\nThey tune what is not there. One warning names those of a file.\n";
  fmt::format_to(std::back_inserter(out), "\n{}\n", listed(harmless));
}

}  // namespace

Tables Tables::of_this_build() {
  return {.features = snapshot::features(),
          .unsupported = snapshot::unsupported_directives(),
          .variables = snapshot::variables(),
          .unsupported_variables = script::unsupported_variables()};
}

std::string title_of(std::string_view feature) {
  if (feature == "tls") return "TLS";
  if (feature == "real_ip") return "Real IP";
  if (feature == "accesslog") return "Access log";
  if (feature == "errorlog") return "Error log";
  if (feature == "http_tuning") return "HTTP tuning";
  std::string title(feature);
  std::ranges::replace(title, '_', ' ');
  if (!title.empty() && title.front() >= 'a' && title.front() <= 'z') {
    title.front() = static_cast<char>(title.front() - 'a' + 'A');
  }
  return title;
}

std::string call_of(const DirectiveSpec& spec) {
  std::string call(spec.name);
  if (!spec.syntax.empty()) call += fmt::format(" {}", spec.syntax);
  if (spec.block.kind == config::Block::Kind::none) {
    call += ";";
  } else if (!spec.syntax.contains('{')) {
    call += " { ... }";
  }
  return call;
}

std::expected<std::string, std::string> reference_text(const Tables& tables,
                                                       std::string_view name) {
  const auto found = find(tables, name);
  if (!found) return std::unexpected(found.error());
  std::string out;
  const auto begin_entry = [&out] {
    if (!out.empty()) out += "\n";
  };
  for (const auto& group : found->groups) {
    if (name.empty()) {
      begin_entry();
      out += fmt::format("== {}\n", title_of(group.feature));
    }
    for (const DirectiveSpec* spec : group.directives) {
      begin_entry();
      add_text(out, *spec);
    }
  }
  if (name.empty()) out += "\n== Of nginx's, not supported\n";
  for (const UnsupportedSpec* spec : found->unsupported) {
    begin_entry();
    add_text(out, *spec);
  }
  if (name.empty()) out += "\n== Variables\n";
  for (const VariableSpec* spec : found->variables) {
    begin_entry();
    add_text(out, *spec);
  }
  for (const UnsupportedVariable* spec : found->unsupported_variables) {
    begin_entry();
    out += fmt::format("${}\n    Of nginx's, not supported yet.\n", spec->name);
  }
  return out;
}

std::expected<std::string, std::string> reference_json(const Tables& tables,
                                                       std::string_view name) {
  const auto found = find(tables, name);
  if (!found) return std::unexpected(found.error());
  nlohmann::ordered_json json{{"directives", nlohmann::json::array()},
                              {"unsupported", nlohmann::json::array()},
                              {"variables", nlohmann::json::array()},
                              {"unsupported_variables", nlohmann::json::array()}};
  for (const auto& group : found->groups) {
    for (const DirectiveSpec* spec : group.directives) {
      json["directives"].push_back(json_of(*spec, group.feature));
    }
  }
  for (const UnsupportedSpec* spec : found->unsupported) {
    json["unsupported"].push_back(json_of(*spec));
  }
  for (const VariableSpec* spec : found->variables) {
    json["variables"].push_back({{"name", spec->name},
                                 {"prefix", is_family(*spec)},
                                 {"documentation", spec->documentation}});
  }
  for (const UnsupportedVariable* spec : found->unsupported_variables) {
    json["unsupported_variables"].push_back({{"name", spec->name}});
  }
  return json.dump(2) + "\n";
}

std::string reference_markdown(const Tables& tables) {
  const Selection all = select(tables, "");
  std::string out(kHead);
  for (const auto& group : all.groups) {
    fmt::format_to(std::back_inserter(out), "\n## {}\n", title_of(group.feature));
    for (const DirectiveSpec* spec : group.directives) add_markdown(out, *spec);
  }
  add_unsupported(out, all);
  out +=
      "\n## Variables\n\n`NAME` stands for any name of the kind, in lower case and with `_` for "
      "`-`.\n\n| variable | value |\n|---|---|\n";
  for (const VariableSpec* spec : all.variables) {
    fmt::format_to(std::back_inserter(out), "| `{}` | {} |\n", shown(*spec),
                   escape_markdown(spec->documentation));
  }
  std::set<std::string_view> missing;
  for (const UnsupportedVariable* spec : all.unsupported_variables) missing.insert(spec->name);
  fmt::format_to(std::back_inserter(out),
                 "\nVariables of nginx's that are not supported yet, and an error where they are "
                 "used:\n{}\n",
                 listed(missing));
  return out;
}

int print_reference(std::string_view name, ReferenceForm form) {
  const Tables tables = Tables::of_this_build();
  const auto text = form == ReferenceForm::markdown ? reference_markdown(tables)
                    : form == ReferenceForm::json   ? reference_json(tables, name)
                                                    : reference_text(tables, name);
  if (!text) {
    fmt::print(stderr, "{}",
               observe::for_stderr(fmt::format("sallyport: [emerg] {}\n", text.error())));
    return 1;
  }
  const bool written = std::fwrite(text->data(), 1, text->size(), stdout) == text->size();
  return written && std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace cli
