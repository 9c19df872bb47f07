#include "config/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace config {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kMaxText = 2000;

/// The length of the UTF-8 sequence at the beginning of `text`, 0 if it is not valid (RFC 3629 §4).
std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !continues(1)) return 0;
  if (first < 0xE0) return 2;
  if (!continues(2)) return 0;
  if (first < 0xF0) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (!continues(3)) return 0;
  const bool overlong = first == 0xF0 && byte(1) < 0x90;
  const bool beyond = first == 0xF4 && byte(1) >= 0x90;
  return overlong || beyond ? 0 : 4;
}

/// Columns that `text`, already printable, takes on a terminal (wide characters count as one).
std::size_t width_of(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string expand_tabs(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\t') {
      out += "    ";
    } else {
      out += c;
    }
  }
  return out;
}

/// The source line and the caret below it, cut to what fits.
std::string excerpt(std::string_view line, std::size_t column) {
  constexpr std::string_view kIndent = "    ";
  constexpr std::size_t kBefore = 40;  // bytes kept before the caret in a line that is too long
  constexpr std::size_t kRoom = kWidth - 10;
  std::size_t at = std::min(column == 0 ? 0 : column - 1, line.size());
  std::string_view left_mark;
  std::string_view right_mark;
  if (line.size() > kRoom && at > kBefore) {
    line.remove_prefix(at - kBefore);
    at = kBefore;
    left_mark = "...";
  }
  if (line.size() > kRoom) {
    line = line.substr(0, kRoom);
    right_mark = "...";
  }
  const std::string before = expand_tabs(printable(line.substr(0, at)));
  const std::string after = expand_tabs(printable(line.substr(at)));
  return fmt::format("{0}{1}{2}{3}{4}\n{0}{5:{6}}^\n", kIndent, left_mark, before, after,
                     right_mark, "", left_mark.size() + width_of(before));
}

/// `text` in lines that fit, broken at spaces; later lines are indented under the first.
std::string wrap(std::string_view first_indent, std::string_view text) {
  std::string out(first_indent);
  const std::string indent(first_indent.size(), ' ');
  std::size_t used = first_indent.size();
  bool line_is_empty = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line_is_empty && used + 1 + width_of(word) > kWidth) {
      out += '\n';
      out += indent;
      used = indent.size();
      line_is_empty = true;
    }
    if (!line_is_empty) {
      out += ' ';
      ++used;
    }
    out += word;
    used += width_of(word);
    line_is_empty = false;
  }
  return out + '\n';
}

std::string_view level_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::error: return "emerg";
    case Severity::warning: return "warn";
    case Severity::notice: return "notice";
  }
  return "emerg";
}

/// Finds lines by number; going forward through a source costs its length once.
class LineFinder {
 public:
  explicit LineFinder(std::span<const std::unique_ptr<Source>> sources)
      : sources_(sources), marks_(sources.size()) {}

  std::string_view line(Position at) {
    if (at.line == 0 || at.file >= sources_.size()) return {};
    const std::string_view text = sources_[at.file]->text;
    Mark& mark = marks_[at.file];
    if (mark.line > at.line) mark = {};
    while (mark.line < at.line) {
      const std::size_t end = text.find('\n', mark.offset);
      if (end == std::string_view::npos) return {};
      mark = {mark.line + 1, end + 1};
    }
    std::string_view line = text.substr(mark.offset, text.find('\n', mark.offset) - mark.offset);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

 private:
  struct Mark {
    std::uint32_t line = 1;
    std::size_t offset = 0;
  };
  std::span<const std::unique_ptr<Source>> sources_;
  std::vector<Mark> marks_;
};

}  // namespace

std::string_view name_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::error: return "error";
    case Severity::warning: return "warning";
    case Severity::notice: return "notice";
  }
  return "error";
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const bool control = (first < 0x20 && first != '\t') || first == 0x7F;
    // U+0080 to U+009F are control characters too: a terminal may obey them.
    const bool control_c1 =
        first == 0xC2 && text.size() > 1 && static_cast<unsigned char>(text[1]) < 0xA0;
    const std::size_t length = control || control_c1 ? 0 : utf8_length(text);
    if (length == 0) {
      out += fmt::format("\\x{:02X}", first);
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return out;
}

std::uint32_t Diagnostics::add_source(std::string name, std::string text, Source::Kind kind) {
  sources_.push_back(std::make_unique<Source>(std::move(name), std::move(text), kind));
  return static_cast<std::uint32_t>(sources_.size() - 1);
}

const Source& Diagnostics::source(std::uint32_t file) const {
  CHECK(file < sources_.size());
  return *sources_[file];
}

void Diagnostics::error(Position at, std::string message, std::string hint) {
  ++errors_;
  add(Severity::error, at, std::move(message), std::move(hint));
}

void Diagnostics::absent(Position at, std::string message, std::string hint) {
  if (!has_losses_) error(at, std::move(message), std::move(hint));
}

void Diagnostics::warning(Position at, std::string message, std::string hint) {
  ++warnings_;
  add(Severity::warning, at, std::move(message), std::move(hint));
}

void Diagnostics::notice(Position at, std::string message, std::string hint) {
  add(Severity::notice, at, std::move(message), std::move(hint));
}

void Diagnostics::add(Severity severity, Position at, std::string message, std::string hint) {
  if (entries_.size() == kMax) {
    ++suppressed_;
    return;
  }
  // Words of the configuration are quoted in messages, and may be long.
  for (std::string* text : {&message, &hint}) {
    if (text->size() > kMaxText) text->replace(kMaxText, std::string::npos, "...");
  }
  entries_.push_back({severity, at, std::move(message), std::move(hint)});
}

std::string Diagnostics::place(Position at) const {
  if (at.line == 0 || at.file >= sources_.size()) return {};
  const Source& source = *sources_[at.file];
  if (source.kind == Source::Kind::command_line) return "command line";
  return fmt::format("{}:{}", printable(source.name), at.line);
}

std::vector<Diagnostic> Diagnostics::list() const {
  LineFinder lines(sources_);
  std::vector<Diagnostic> out;
  out.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    const bool placed = entry.at.line != 0 && entry.at.file < sources_.size();
    out.push_back({.severity = entry.severity,
                   .message = printable(entry.message),
                   .file = placed ? printable(sources_[entry.at.file]->name) : std::string(),
                   .line = entry.at.line,
                   .column = entry.at.column,
                   .source_line = printable(lines.line(entry.at)),
                   .hint = printable(entry.hint)});
  }
  return out;
}

std::string Diagnostics::render() const {
  LineFinder lines(sources_);
  std::string out;
  for (const Entry& entry : entries_) {
    const std::string where = place(entry.at);
    out += fmt::format("sallyport: [{}] {}{}{}\n", level_of(entry.severity),
                       printable(entry.message), where.empty() ? "" : " in ", where);
    if (!where.empty()) {
      out += fmt::format("  {}:{}\n", where, entry.at.column);
      out += excerpt(lines.line(entry.at), entry.at.column);
    }
    if (!entry.hint.empty()) out += wrap("  hint: ", printable(entry.hint));
  }
  if (suppressed_ != 0) out += fmt::format("sallyport: [emerg] {} more messages\n", suppressed_);
  return out;
}

}  // namespace config
