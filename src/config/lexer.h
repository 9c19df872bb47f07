// The lexer cuts a text into statements exactly as nginx's ngx_conf_read_token does:
//
//   statement = word+ ";"  |  word+ "{"  |  "}"
//   word      = quoted in " or ', or bare up to a space, ";" or "{"
//
// Known only by reading nginx, and kept: "#" begins a comment only where a word could begin; "}"
// too is special only there; "{" after "$" belongs to the word; \" \' \\ \t \r \n are replaced in
// every word, other backslashes stay together with what they precede; a closing quote must be
// followed by a space, ";", "{" or ")", and this ")" begins a new word.
//
// Errors are reported, then skipped. NUL bytes, which nginx lets pass, are refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "config/tree.h"

namespace config {

class Lexer {
 public:
  static constexpr std::size_t kMaxWord = 64 * 1024;
  static constexpr std::size_t kMaxErrors = 100;  // of one text

  struct Statement {
    enum class End : std::uint8_t { semicolon, block_start, block_end, end_of_text };
    std::vector<Word> words;  // may be empty before a block_start, which then was reported
    End end = End::end_of_text;
    Position at;  // of what ended it
  };

  /// Reads a source of `diagnostics`.
  Lexer(std::uint32_t file, Diagnostics& diagnostics);

  [[nodiscard]] Statement next();

  /// Behind a block_start: skips a block of Lua, whose braces balance outside of its strings and
  /// comments. False: the text ended first, which was reported.
  [[nodiscard]] bool skip_lua_block();

  /// From now on next() says end_of_text: what follows could not be made sense of.
  void abandon() noexcept { abandoned_ = true; }
  [[nodiscard]] bool abandoned() const noexcept { return abandoned_; }

 private:
  [[nodiscard]] bool at_end() const noexcept { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const noexcept { return text_[at_]; }
  [[nodiscard]] Position position() const noexcept;
  void advance() noexcept;
  void skip_escaped() noexcept;
  [[nodiscard]] bool skip_long_bracket() noexcept;
  void skip_lua_comment() noexcept;

  void skip_spaces_and_comments() noexcept;
  void read_word(std::vector<Word>& words);
  void read_quoted(std::vector<Word>& words);
  void read_bare(std::vector<Word>& words);
  [[nodiscard]] bool too_long(std::size_t start, Position at, char quote);
  void end_of_text(const std::vector<Word>& words, const Position* open_quote);
  void error(Position at, std::string message, std::string hint = {});

  Diagnostics& diagnostics_;
  std::string_view text_;
  Source::Kind kind_;
  std::uint32_t file_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::size_t line_start_ = 0;
  std::size_t errors_ = 0;
  bool abandoned_ = false;
};

}  // namespace config
