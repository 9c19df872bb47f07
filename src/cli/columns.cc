#include "cli/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace cli {
namespace {

std::string cleaned(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(out, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return out;
}

// A character of UTF-8 is one column, its further bytes none.
bool continues(char c) noexcept { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return !continues(c); }));
}

// Bytes of the first `columns` columns.
std::size_t bytes_of(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (!continues(text[at]) && columns-- == 0) break;
    ++at;
  }
  return at;
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t indent, std::size_t hanging) {
  CHECK(indent < kColumns && hanging < kColumns);
  const std::string clean = cleaned(text);
  std::string out;
  std::string_view rest = clean;
  while (true) {
    const std::size_t room = kColumns - indent;
    std::size_t end = bytes_of(rest, room);
    std::size_t next = end;
    if (end < rest.size()) {
      const std::size_t space = rest.rfind(' ', end);
      if (space != std::string_view::npos && space > 0) {
        end = space;
        next = space + 1;
      }
    }
    out += fmt::format("{:{}}{}\n", "", indent, rest.substr(0, end));
    rest.remove_prefix(next);
    if (rest.empty()) return out;
    indent = hanging;
  }
}

std::string shortened(std::string_view text, std::size_t width) {
  CHECK(width >= 3);
  std::string clean = cleaned(text);
  const std::size_t columns = columns_of(clean);
  if (columns <= width) return clean;
  const std::size_t before = (width - 1) / 2;
  const std::size_t after = width - 1 - before;
  const std::string_view view = clean;
  return fmt::format("{}…{}", view.substr(0, bytes_of(view, before)),
                     view.substr(bytes_of(view, columns - after)));
}

std::string with_prefix(double value) {
  constexpr std::array kPrefixes{"", " k", " M", " G", " T", " P"};
  std::size_t step = 0;
  while (value >= 999.5 && step + 1 < kPrefixes.size()) {
    value /= 1000;
    ++step;
  }
  if (step == 0) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}{}", value, value < 99.95 ? 1 : 0, kPrefixes[step]);
}

}  // namespace cli
