#include "observe/redact.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace observe {
namespace {

// Every secret field's name ends with one of these.
constexpr std::array<std::string_view, 3> kEndings = {"authorization", "cookie", "cookie2"};
constexpr std::array<std::string_view, 6> kNames = {
    "authorization", "proxy-authorization", "cookie", "set-cookie", "cookie2", "set-cookie2"};

bool equal(std::string_view name, std::string_view secret) noexcept {
  return std::ranges::equal(name, secret,
                            [](char a, char b) { return base::to_lower(a == '_' ? '-' : a) == b; });
}

bool ends_with_secret_name(std::string_view text) noexcept {
  return std::ranges::any_of(kEndings, [text](std::string_view ending) {
    return text.size() >= ending.size() && equal(text.substr(text.size() - ending.size()), ending);
  });
}

// Quotes too: "cookie": in a dump as JSON.
bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '"' || c == '\''; }

}  // namespace

bool is_secret_field(std::string_view name) noexcept {
  return std::ranges::any_of(kNames,
                             [name](std::string_view secret) { return equal(name, secret); });
}

std::string redact_field_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) break;
    std::size_t name_end =
        colon;  // blanks before the colon are wrong, but the value is a secret still
    while (name_end > 0 && is_blank(text[name_end - 1])) --name_end;
    out += text.substr(0, colon + 1);
    const bool secret = ends_with_secret_name(text.substr(0, name_end));
    text.remove_prefix(colon + 1);
    if (!secret) continue;
    out += ' ';
    out += kRedacted;
    const std::size_t line_end = text.find_first_of("\r\n");
    text.remove_prefix(line_end == std::string_view::npos ? text.size() : line_end);
  }
  out += text;
  return out;
}

}  // namespace observe
