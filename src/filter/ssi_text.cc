#include "filter/ssi_text.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace filter {
namespace {

bool is_name(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_';
}

// Takes a name behind '$'. Nothing: it is none, `why` says so.
std::optional<std::string> take_name(std::string_view& text, std::string_view& why) {
  const bool bracket = text.starts_with('{');
  if (bracket) text.remove_prefix(1);
  const auto end = std::ranges::find_if_not(text, is_name);
  const auto size = static_cast<std::size_t>(end - text.begin());
  std::string name = base::lower(text.substr(0, size));
  text.remove_prefix(size);
  if (bracket && !text.starts_with('}')) {
    why = "the closing bracket of a variable is missing in an SSI command";
    return std::nullopt;
  }
  if (bracket) text.remove_prefix(1);
  if (!name.empty()) return name;
  why = "invalid variable name in an SSI command";
  return std::nullopt;
}

}  // namespace

base::Result<std::string> expand_ssi(std::string_view text, const SsiLookup& lookup) {
  std::string out;
  while (!text.empty()) {
    const char byte = text.front();
    text.remove_prefix(1);
    if (byte == '$') {
      std::string_view why;
      const auto name = take_name(text, why);
      if (!name) return base::fail(base::ErrorCode::invalid, why);
      if (const auto value = lookup(*name)) out += *value;
      continue;
    }
    if (byte != '\\') {
      out += byte;
      continue;
    }
    if (text.empty()) break;
    const char escaped = text.front();
    text.remove_prefix(1);
    constexpr std::string_view kEscapes = "\\'\"$";
    if (!kEscapes.contains(escaped)) out += '\\';
    out += escaped;
  }
  return out;
}

std::optional<SsiCondition> parse_ssi_condition(std::string_view expression) {
  const auto skip_spaces = [&] {
    while (expression.starts_with(' ')) expression.remove_prefix(1);
  };
  const auto is_left = [](char byte) {
    return is_name(byte) || std::string_view("${}\"'").contains(byte);
  };
  const auto end = std::ranges::find_if_not(expression, is_left);
  const auto size = static_cast<std::size_t>(end - expression.begin());
  SsiCondition condition{.left = base::lower(expression.substr(0, size)), .right = std::nullopt};
  expression.remove_prefix(size);
  skip_spaces();
  if (expression.empty()) return condition;
  condition.negative = expression.starts_with("!=");
  if (!condition.negative && !expression.starts_with('=')) return std::nullopt;
  expression.remove_prefix(condition.negative ? 2 : 1);
  skip_spaces();
  if (expression.size() > 1 && expression.starts_with('/')) {
    if (!expression.ends_with('/')) return std::nullopt;
    condition.is_regex = true;
    expression.remove_prefix(1);
    expression.remove_suffix(1);
  } else if (expression.size() > 1 && expression.starts_with("\\/")) {
    expression.remove_prefix(1);
  }
  condition.right = std::string(expression);
  return condition;
}

std::string escape_entities(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    switch (byte) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += byte;
    }
  }
  return out;
}

std::string escape_for_url(std::string_view text) {
  constexpr std::string_view kEscaped = " \"#%'<>\\^`{|}";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (code > 0x20 && code < 0x7f && !kEscaped.contains(byte)) {
      out += byte;
      continue;
    }
    out += '%';
    out += kDigits[code >> 4U];
    out += kDigits[code & 15U];
  }
  return out;
}

}  // namespace filter
