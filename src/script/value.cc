#include "script/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace script {
namespace {

bool is_name_char(char c) noexcept { return base::is_alpha(c) || base::is_digit(c) || c == '_'; }

// Reads one word. A column is a byte of the file, so an error stands under its '$' as long as the
// word has no escapes before it.
class Compiler {
 public:
  Compiler(const config::Word& word, Variables& variables, config::Diagnostics& diagnostics)
      : rest_(word.text), word_(word), variables_(variables), diagnostics_(diagnostics) {}

  std::optional<std::vector<Piece>> compile() {
    bool sound = true;
    while (!rest_.empty()) {
      const std::size_t dollar = std::min(rest_.find('$'), rest_.size());
      literal_ += rest_.substr(0, dollar);
      rest_.remove_prefix(dollar);
      if (rest_.empty()) break;
      const config::Position at = here();
      rest_.remove_prefix(1);
      sound = read_variable(at) && sound;
    }
    end_literal();
    if (!sound) return std::nullopt;
    return std::move(pieces_);
  }

 private:
  config::Position here() const noexcept {
    config::Position at = word_.at;
    at.column +=
        static_cast<std::uint32_t>(word_.text.size() - rest_.size() + (word_.quoted ? 1 : 0));
    return at;
  }

  /// After the '$'. False when an error was reported.
  bool read_variable(config::Position at) {
    if (!rest_.empty() && rest_.front() >= '1' && rest_.front() <= '9') {
      add(Piece::capture(static_cast<std::size_t>(rest_.front() - '0')));
      rest_.remove_prefix(1);
      return true;
    }
    const bool bracket = rest_.starts_with('{');
    if (bracket) rest_.remove_prefix(1);
    const auto end = std::ranges::find_if_not(rest_, is_name_char);
    const std::string name(rest_.begin(), end);
    rest_.remove_prefix(name.size());
    if (bracket) {
      if (!rest_.starts_with('}')) {
        diagnostics_.error(at,
                           fmt::format("the closing bracket in \"{}\" variable is missing", name));
        return false;
      }
      rest_.remove_prefix(1);
    }
    if (name.empty()) {
      diagnostics_.error(at, "invalid variable name",
                         "nginx's language has no escape for a dollar sign");
      return false;
    }
    if (name.size() == 1 && name.front() >= '1' && name.front() <= '9') {
      add(Piece::capture(static_cast<std::size_t>(name.front() - '0')));
      return true;
    }
    auto variable = variables_.use(name, at, diagnostics_);
    if (!variable) return false;
    add(Piece::variable(base::lower(name), std::move(*variable)));
    return true;
  }

  void end_literal() {
    if (!literal_.empty()) pieces_.push_back(Piece::literal(std::exchange(literal_, {})));
  }
  void add(Piece piece) {
    end_literal();
    pieces_.push_back(std::move(piece));
  }

  std::string_view rest_;
  const config::Word& word_;
  Variables& variables_;
  config::Diagnostics& diagnostics_;
  std::string literal_;
  std::vector<Piece> pieces_;
};

}  // namespace

Piece Piece::literal(std::string text) {
  Piece piece;
  piece.text_ = std::move(text);
  return piece;
}

Piece Piece::capture(std::size_t group) {
  Piece piece;
  piece.kind_ = Kind::capture;
  piece.index_ = group;
  piece.text_ = std::to_string(group);
  return piece;
}

Piece Piece::variable(std::string name, Variable variable) {
  Piece piece;
  piece.kind_ = variable.get != nullptr ? Kind::variable : Kind::slot;
  piece.text_ = std::move(name);
  piece.variable_ = std::move(variable);
  return piece;
}

Value Value::literal(std::string text) {
  Value value;
  if (!text.empty()) value.pieces_.push_back(Piece::literal(std::move(text)));
  return value;
}

Value Value::compile(const config::Word& word, Variables& variables,
                     config::Diagnostics& diagnostics) {
  Value value;
  if (auto pieces = Compiler(word, variables, diagnostics).compile()) {
    value.pieces_ = std::move(*pieces);
  }
  return value;
}

bool Value::uses_captures() const noexcept {
  return std::ranges::any_of(
      pieces_, [](const Piece& piece) { return piece.kind() == Piece::Kind::capture; });
}

std::string_view Value::evaluate(exchange::Exchange& exchange) const {
  Subject subject(exchange);
  return evaluate(subject);
}

std::string_view Value::evaluate_all(Subject& subject) const {
  constexpr std::size_t kUsual = 16;
  std::array<std::string_view, kUsual> few;
  const std::span<std::string_view> views =
      pieces_.size() <= kUsual ? std::span(few).first(pieces_.size())
                               : subject.arena.make_array<std::string_view>(pieces_.size());
  std::size_t size = 0;  // <= kMaxSize
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    views[i] = pieces_[i].evaluate(subject).value_or(std::string_view{});
    if (views[i].size() > kMaxSize - size) {
      subject.fail(exchange::EvaluationFailure::Kind::too_long,
                   "a value with variables in it is longer than a megabyte");
      return {};
    }
    size += views[i].size();
  }
  return subject.arena.concat(views);
}

}  // namespace script
