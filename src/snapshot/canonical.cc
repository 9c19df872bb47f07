#include "snapshot/canonical.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/text.h"
#include "config/values.h"
#include "observe/redact.h"

namespace snapshot {
namespace {

constexpr std::string_view kHidden = "(hidden ";
constexpr std::size_t kMarkDigits = 8;

// Short on purpose: it tells one value from the next, and can't be turned back into either.
std::string hidden(std::string_view value) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : value) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{}{:08x})", kHidden, static_cast<std::uint32_t>(hash ^ (hash >> 32)));
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// "$http_authorization" shows nobody's secret.
bool is_one_variable(std::string_view text) {
  return text.starts_with('$') && std::ranges::all_of(text.substr(1), [](char c) {
           return base::is_alpha(c) || base::is_digit(c) || c == '_' || c == '{' || c == '}';
         });
}

bool names_secret(std::string_view field) {
  const std::string name = base::lower(field);
  constexpr std::array kParts{"secret", "token", "password", "api-key", "api_key", "apikey"};
  return observe::is_secret_field(name) ||
         std::ranges::any_of(kParts, [&](const char* part) { return contains(name, part); });
}

// From which argument on nothing is shown.
std::size_t first_secret(const config::Directive& directive) {
  const std::string& name = directive.name.text;
  if (contains(name, "secret") || (contains(name, "password") && !name.ends_with("_file"))) {
    return 0;
  }
  const bool has_field = name.ends_with("_set_header") || name.starts_with("add_");
  if (has_field && directive.arguments.size() > 1 &&
      names_secret(directive.arguments.front().text)) {
    return 1;
  }
  return directive.arguments.size();
}

bool needs_quotes(std::string_view word) {
  return word.empty() || word.find_first_of(" \t\r\n;{}\"'\\#") != std::string_view::npos;
}

std::string quoted(std::string_view word) {
  std::string out = "\"";
  for (const char c : word) {
    switch (c) {
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '"':
      case '\\': out += '\\'; [[fallthrough]];
      default: out += c;
    }
  }
  return out + '"';
}

std::string with_unit(std::uint64_t value,
                      std::initializer_list<std::pair<std::uint64_t, std::string_view>> units) {
  for (const auto& [size, unit] : units) {
    if (value != 0 && value % size == 0) return fmt::format("{}{}", value / size, unit);
  }
  return fmt::format("{}", value);
}

std::string duration_text(std::chrono::milliseconds time) {
  if (time.count() == 0) return "0";
  return with_unit(static_cast<std::uint64_t>(time.count()),
                   {{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}, {1000, "s"}, {1, "ms"}});
}

std::string size_text(std::uint64_t bytes) {
  return with_unit(bytes, {{std::uint64_t{1} << 30, "g"}, {1U << 20, "m"}, {1U << 10, "k"}});
}

// By what the table says that the arguments are.
std::string value_text(std::string_view word, std::string_view syntax) {
  if (syntax.starts_with("TIME")) {
    if (const auto time = config::parse_duration(word)) return duration_text(*time);
  } else if (syntax == "SIZE") {
    if (const auto size = config::parse_size(word)) return size_text(*size);
  } else if (syntax.starts_with("on | off")) {
    if (config::parse_flag(word)) return base::lower(word);
  }
  return needs_quotes(word) ? quoted(word) : std::string(word);
}

std::string text_of(const config::Directive& directive, std::string_view syntax) {
  std::string text = needs_quotes(directive.name.text) ? quoted(directive.name.text)
                                                       : std::string(directive.name.text);
  const std::size_t secret = first_secret(directive);
  for (std::size_t i = 0; i < directive.arguments.size(); ++i) {
    const std::string& word = directive.arguments[i].text;
    const bool hide = (i >= secret && !is_one_variable(word)) || word.starts_with("data:");
    text += ' ';
    text += hide ? hidden(word) : value_text(word, syntax);
  }
  if (!directive.has_block) return text;
  text += " {";
  for (const config::Directive& inner : directive.block) {
    text += ' ' + text_of(inner, {}) + (inner.has_block ? "" : ";");
  }
  return text + " }";
}

}  // namespace

std::string canonical(const config::Directive& directive, const config::DirectiveSpec& spec) {
  return text_of(directive, spec.syntax);
}

std::string canonical(const config::Directive& directive) { return text_of(directive, {}); }

bool is_default(std::string_view text, const config::DirectiveSpec& spec) {
  if (spec.default_text.empty()) return false;
  config::Directive standard;
  standard.name.text = spec.name;
  for (std::string_view rest = spec.default_text; !rest.empty();) {
    const std::string_view word = base::split_first(rest, ' ');
    standard.arguments.push_back({.text = word == "\"\"" ? "" : std::string(word), .at = {}});
  }
  return text == canonical(standard, spec);
}

std::string without_marks(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t at = text.find(kHidden);
    const std::size_t end = at + kHidden.size() + kMarkDigits;
    if (at == std::string_view::npos || end >= text.size() || text[end] != ')') break;
    out += text.substr(0, at + kHidden.size() - 1);
    text.remove_prefix(end);
  }
  return out += text;
}

}  // namespace snapshot
