#include "config/lexer.h"

#include <fmt/format.h>

#include <utility>

namespace config {
namespace {

constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string unescape(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\' || i + 1 == raw.size()) {
      out += raw[i];
      continue;
    }
    switch (raw[i + 1]) {
      case '"':
      case '\'':
      case '\\': out += raw[++i]; break;
      case 't':
        out += '\t';
        ++i;
        break;
      case 'r':
        out += '\r';
        ++i;
        break;
      case 'n':
        out += '\n';
        ++i;
        break;
      default: out += '\\'; break;
    }
  }
  return out;
}

}  // namespace

Lexer::Lexer(std::uint32_t file, Diagnostics& diagnostics)
    : diagnostics_(diagnostics),
      text_(diagnostics.source(file).text),
      kind_(diagnostics.source(file).kind),
      file_(file) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text_.starts_with(kByteOrderMark)) {
    error(position(), "unexpected byte order mark", "save the file as UTF-8 without one");
    at_ = kByteOrderMark.size();
  }
  const std::size_t nul = text_.find('\0');
  if (nul != std::string_view::npos) {
    while (at_ < nul) advance();
    error(position(), "unexpected NUL byte", "is this a text file?");
    abandon();
  }
}

Position Lexer::position() const noexcept {
  return {file_, line_, static_cast<std::uint32_t>(at_ - line_start_ + 1)};
}

void Lexer::advance() noexcept {
  if (text_[at_++] == '\n') {
    ++line_;
    line_start_ = at_;
  }
}

void Lexer::skip_escaped() noexcept {
  advance();
  if (!at_end()) advance();
}

void Lexer::error(Position at, std::string message, std::string hint) {
  diagnostics_.error(at, std::move(message), std::move(hint));
  if (++errors_ == kMaxErrors) {
    diagnostics_.error(at, "too many errors in this file, the rest of it was not read");
    abandon();
  }
}

Lexer::Statement Lexer::next() {
  Statement statement;
  for (;;) {
    if (!abandoned_) skip_spaces_and_comments();
    statement.at = position();
    if (abandoned_ || at_end()) {
      if (!abandoned_ && !statement.words.empty()) end_of_text(statement.words, nullptr);
      statement.words.clear();
      statement.end = Statement::End::end_of_text;
      return statement;
    }
    const char c = peek();
    if (c == ';' && statement.words.empty()) {
      error(position(), "unexpected \";\"");
      advance();
    } else if (c == ';') {
      advance();
      statement.end = Statement::End::semicolon;
      return statement;
    } else if (c == '{') {
      if (statement.words.empty()) error(position(), "unexpected \"{\"");
      advance();
      statement.end = Statement::End::block_start;
      return statement;
    } else if (c == '}' && !statement.words.empty()) {
      // The statement lacks its ";". It is taken as if it had one, and the brace is read again.
      error(position(), "unexpected \"}\"",
            fmt::format("a \";\" is missing after \"{}\" in line {}", statement.words.back().text,
                        statement.words.back().at.line));
      statement.end = Statement::End::semicolon;
      return statement;
    } else if (c == '}') {
      advance();
      statement.end = Statement::End::block_end;
      return statement;
    } else {
      read_word(statement.words);
    }
  }
}

bool Lexer::skip_lua_block() {
  const Position at = position();
  for (std::size_t depth = 1; !at_end();) {
    const char c = peek();
    if (c == '[' && skip_long_bracket()) continue;
    if (c == '-' && text_.substr(at_).starts_with("--")) {
      skip_lua_comment();
      continue;
    }
    advance();
    if (c == '"' || c == '\'') {
      while (!at_end() && peek() != c && peek() != '\n') {
        if (peek() == '\\') {
          skip_escaped();
        } else {
          advance();
        }
      }
      if (!at_end()) advance();
    }
    if (c == '{') ++depth;
    if (c == '}' && --depth == 0) return true;
  }
  error(position(), "unexpected end of file, expecting \"}\"",
        fmt::format("the block of Lua that begins in line {} is not closed", at.line));
  abandon();
  return false;
}

// "[[ ... ]]", "[=[ ... ]=]" and so on. False: none begins here.
bool Lexer::skip_long_bracket() noexcept {
  const std::string_view rest = text_.substr(at_);
  const std::size_t level = rest.find_first_not_of('=', 1);
  if (level == std::string_view::npos || rest[level] != '[') return false;
  std::string_view equals = rest.substr(1, level - 1);
  while (!at_end()) {
    advance();
    const std::string_view here = text_.substr(at_);
    if (!here.starts_with(']')) continue;
    if (!here.substr(1).starts_with(equals) || !here.substr(1 + equals.size()).starts_with(']')) {
      continue;
    }
    for (std::size_t i = 0; i < equals.size() + 2; ++i) advance();
    return true;
  }
  return true;
}

void Lexer::skip_lua_comment() noexcept {
  advance();
  advance();
  if (!at_end() && peek() == '[' && skip_long_bracket()) return;
  while (!at_end() && peek() != '\n') advance();
}

void Lexer::skip_spaces_and_comments() noexcept {
  while (!at_end()) {
    if (peek() == '#') {
      while (!at_end() && peek() != '\n') advance();
    } else if (is_space(peek())) {
      advance();
    } else {
      return;
    }
  }
}

void Lexer::read_word(std::vector<Word>& words) {
  if (peek() == '"' || peek() == '\'') {
    read_quoted(words);
  } else {
    read_bare(words);
  }
}

void Lexer::read_quoted(std::vector<Word>& words) {
  const Position at = position();
  const char quote = peek();
  advance();
  const std::size_t start = at_;
  while (!at_end() && peek() != quote) {
    if (too_long(start, at, quote)) return;
    if (peek() == '\\') {
      skip_escaped();
    } else {
      advance();
    }
  }
  if (at_end()) return end_of_text(words, &at);
  words.push_back({unescape(text_.substr(start, at_ - start)), at, true});
  advance();
  if (at_end()) return;
  const char after = peek();
  // "}" is reported by the caller, as always where it follows a word.
  if (!is_space(after) && after != ';' && after != '{' && after != ')' && after != '}') {
    error(position(), fmt::format("unexpected \"{}\"", after),
          "a closing quote must be followed by a space, \";\", \"{\" or \")\"");
    // What follows is one word's rest in the writer's mind: it is skipped.
    while (!at_end() && !is_space(peek()) && peek() != ';' && peek() != '{') advance();
  }
}

void Lexer::read_bare(std::vector<Word>& words) {
  const Position at = position();
  const std::size_t start = at_;
  bool after_dollar = false;
  while (!at_end()) {
    if (too_long(start, at, '\0')) return;
    const char c = peek();
    if (c == '{' && after_dollar) {
      advance();
      continue;
    }
    after_dollar = c == '$';
    if (c == '\\') {
      skip_escaped();
    } else if (is_space(c) || c == ';' || c == '{') {
      break;
    } else {
      advance();
    }
  }
  words.push_back({unescape(text_.substr(start, at_ - start)), at, false});
}

bool Lexer::too_long(std::size_t start, Position at, char quote) {
  if (at_ - start < kMaxWord) return false;
  if (quote == '\0') {
    error(at, fmt::format("too long parameter \"{}...\" started", text_.substr(start, 10)));
  } else {
    error(at,
          fmt::format("too long parameter, probably missing terminating \"{}\" character", quote));
  }
  abandon();
  return true;
}

void Lexer::end_of_text(const std::vector<Word>& words, const Position* open_quote) {
  std::string hint;
  if (open_quote != nullptr) {
    hint = fmt::format("the quote opened in line {} is not closed", open_quote->line);
  } else {
    hint = fmt::format("directive \"{}\" in line {} is not terminated by \";\"", words.front().text,
                       words.front().at.line);
  }
  error(position(),
        kind_ == Source::Kind::command_line ? "unexpected end of parameter, expecting \";\""
                                            : "unexpected end of file, expecting \";\" or \"}\"",
        std::move(hint));
  abandon();
}

}  // namespace config
