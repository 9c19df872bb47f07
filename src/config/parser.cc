#include "config/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "config/lexer.h"

namespace config {
namespace {

class Parser {
 public:
  Parser(FileSource& files, Diagnostics& diagnostics, const Limits& limits)
      : files_(files), diagnostics_(diagnostics), limits_(limits) {}

  /// `included_at` is the name in the include directive, or nowhere for the main file.
  void file(std::string_view path, Position included_at, std::vector<Directive>& out);
  void source(std::uint32_t file, std::vector<Directive>& out);

 private:
  using End = Lexer::Statement::End;

  void statements(Lexer& lexer, Directive* block, std::vector<Directive>& out);
  void open_block(Lexer& lexer, Lexer::Statement statement, std::vector<Directive>& out);
  void include(const Directive& directive, std::vector<Directive>& out);
  [[nodiscard]] bool may_enter(const std::string& name, Position included_at);
  [[nodiscard]] bool may_add(Lexer& lexer, Position at);

  FileSource& files_;
  Diagnostics& diagnostics_;
  const Limits& limits_;
  std::vector<std::string> include_stack_;
  std::map<std::string, std::uint32_t, std::less<>> sources_;  // of files read before
  std::size_t depth_ = 0;
  std::size_t files_read_ = 0;
  std::size_t bytes_read_ = 0;
  std::size_t directives_ = 0;
  bool exhausted_ = false;  // a limit was passed and reported
};

Directive directive_from(Lexer::Statement& statement) {
  Directive directive;
  directive.name = std::move(statement.words.front());
  directive.arguments.assign(std::make_move_iterator(statement.words.begin() + 1),
                             std::make_move_iterator(statement.words.end()));
  return directive;
}

bool is_pattern(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

void Parser::file(std::string_view path, Position included_at, std::vector<Directive>& out) {
  const std::string name = files_.full_name(path, Purpose::config);
  if (exhausted_ || !may_enter(name, included_at)) return;
  auto known = sources_.find(name);
  if (known == sources_.end()) {
    auto text = files_.read_text(path, Purpose::config);
    if (!text) {
      diagnostics_.error(included_at, describe_failure(name, text.error()));
      return;
    }
    const std::uint32_t index = diagnostics_.add_source(name, *std::move(text));
    known = sources_.emplace(name, index).first;
  }
  ++files_read_;
  bytes_read_ += diagnostics_.source(known->second).text.size();
  include_stack_.push_back(name);
  source(known->second, out);
  include_stack_.pop_back();
}

bool Parser::may_enter(const std::string& name, Position included_at) {
  if (std::ranges::find(include_stack_, name) != include_stack_.end()) {
    std::string chain;
    for (const std::string& each : include_stack_) chain += fmt::format("\"{}\" includes ", each);
    diagnostics_.error(included_at, "include cycle", fmt::format("{}\"{}\"", chain, name));
    return false;
  }
  if (include_stack_.size() > limits_.include_depth) {
    diagnostics_.error(included_at,
                       fmt::format("includes are nested more than {} deep", limits_.include_depth));
    return false;
  }
  if (files_read_ >= limits_.files || bytes_read_ >= limits_.bytes) {
    diagnostics_.error(included_at, "the configuration includes too many or too large files");
    exhausted_ = true;
    return false;
  }
  return true;
}

void Parser::source(std::uint32_t file, std::vector<Directive>& out) {
  Lexer lexer(file, diagnostics_);
  statements(lexer, nullptr, out);
}

bool Parser::may_add(Lexer& lexer, Position at) {
  if (exhausted_) {
    lexer.abandon();
    return false;
  }
  if (++directives_ <= limits_.directives) return true;
  diagnostics_.error(at, fmt::format("more than {} directives", limits_.directives));
  exhausted_ = true;
  lexer.abandon();
  return false;
}

void Parser::statements(Lexer& lexer, Directive* block, std::vector<Directive>& out) {
  for (;;) {
    Lexer::Statement statement = lexer.next();
    switch (statement.end) {
      case End::end_of_text:
        if (block != nullptr && !lexer.abandoned()) {
          diagnostics_.error(statement.at, "unexpected end of file, expecting \"}\"",
                             fmt::format("block \"{}\" in line {} is not closed", block->name.text,
                                         block->name.at.line));
          lexer.abandon();
        }
        return;
      case End::block_end:
        if (block != nullptr) {
          block->block_end = statement.at;
          return;
        }
        diagnostics_.error(statement.at, "unexpected \"}\"");
        break;
      case End::block_start: open_block(lexer, std::move(statement), out); break;
      case End::semicolon: {
        if (!may_add(lexer, statement.words.front().at)) break;
        Directive directive = directive_from(statement);
        if (directive.name.text == "include") {
          include(directive, out);
        } else {
          out.push_back(std::move(directive));
        }
        break;
      }
    }
  }
}

void Parser::open_block(Lexer& lexer, Lexer::Statement statement, std::vector<Directive>& out) {
  const Position start = statement.at;
  if (depth_ == limits_.block_depth) {
    diagnostics_.error(start,
                       fmt::format("blocks are nested more than {} deep", limits_.block_depth));
    lexer.abandon();
    return;
  }
  if (!may_add(lexer, start)) return;
  const bool named = !statement.words.empty();  // if not, the lexer has reported it
  Directive directive;
  if (named) {
    directive = directive_from(statement);
  } else {
    directive.name = {"{", start, false};
  }
  directive.has_block = true;
  directive.block_start = start;
  // Not directives but Lua, which is to be refused by name and not for its syntax.
  if (directive.name.text.ends_with("_by_lua_block")) {
    if (lexer.skip_lua_block()) out.push_back(std::move(directive));
    return;
  }
  ++depth_;
  statements(lexer, &directive, directive.block);
  --depth_;
  if (!named) return;
  if (directive.name.text == "include") {
    diagnostics_.error(directive.name.at, "directive \"include\" is not terminated by \";\"");
    return;
  }
  out.push_back(std::move(directive));
}

void Parser::include(const Directive& directive, std::vector<Directive>& out) {
  if (directive.arguments.size() != 1) {
    diagnostics_.error(directive.name.at, "invalid number of arguments in \"include\" directive",
                       "syntax: include FILE;");
    return;
  }
  const Word& path = directive.arguments.front();
  if (!is_pattern(path.text)) return file(path.text, path.at, out);
  const auto matches = files_.glob(path.text);
  if (!matches) {
    diagnostics_.error(
        path.at, describe_failure(files_.full_name(path.text, Purpose::config), matches.error()));
    return;
  }
  for (const std::string& match : *matches) file(match, path.at, out);
}

}  // namespace

const Directive* find_directive(const Tree& tree, std::string_view name) noexcept {
  for (const Directive& directive : tree.directives) {
    if (directive.name.text == name) return &directive;
  }
  return nullptr;
}

void parse_file(std::string_view path, FileSource& files, Diagnostics& diagnostics, Tree& tree,
                const Limits& limits) {
  Parser(files, diagnostics, limits).file(path, Position{}, tree.directives);
}

void parse_text(std::string name, std::string text, FileSource& files, Diagnostics& diagnostics,
                Tree& tree, const Limits& limits) {
  const std::uint32_t file = diagnostics.add_source(std::move(name), std::move(text));
  Parser(files, diagnostics, limits).source(file, tree.directives);
}

void parse_command_line(std::string text, FileSource& files, Diagnostics& diagnostics, Tree& tree,
                        const Limits& limits) {
  const std::uint32_t file =
      diagnostics.add_source("command line", std::move(text), Source::Kind::command_line);
  std::vector<Directive> found;
  Parser(files, diagnostics, limits).source(file, found);
  for (Directive& directive : found) {
    if (directive.has_block && directive.name.at.file == file) {
      diagnostics.error(directive.name.at, "block directives are not supported in -g option");
    } else {
      tree.directives.push_back(std::move(directive));
    }
  }
}

}  // namespace config
