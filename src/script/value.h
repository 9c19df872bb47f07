// Value: a text with variables in it, nginx's "complex value": literal pieces, $name, ${name}, $1.
//
// Compiled once. A constant costs nothing at run time and a lone variable gives its own view. Else
// each piece is evaluated exactly once, and the result is made of the very views that this gave:
// nothing is measured by one evaluation and copied by another, which is how nginx's rewrite module
// overflowed (threats.md #1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "config/tree.h"
#include "script/subject.h"
#include "script/variables.h"

namespace script {

class Piece {
 public:
  enum class Kind : std::uint8_t { literal, variable, slot, capture };

  [[nodiscard]] static Piece literal(std::string text);
  [[nodiscard]] static Piece capture(std::size_t group);
  [[nodiscard]] static Piece variable(std::string name, Variable variable);

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  /// The literal's text, or the variable's name.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// A credential: not for logs.
  [[nodiscard]] bool secret() const noexcept { return variable_.secret; }

  /// Nothing where a variable has no value. The view lives as long as the arena and this piece.
  [[nodiscard]] std::optional<std::string_view> evaluate(Subject& subject) const {
    switch (kind_) {
      case Kind::literal: return text_;
      case Kind::variable:
        if (variable_.definition != nullptr) {  // one of a family, which may be given a value
          const auto given = variable_.definition->value(subject);
          if (given || variable_.definition->source != nullptr) return given;
        }
        return variable_.get(subject, Suffix{variable_.suffix, variable_.tag});
      case Kind::slot: return variable_.definition->value(subject);
      case Kind::capture: break;
    }
    if (index_ >= subject.captures.count) return std::nullopt;
    return subject.captures[index_];
  }

 private:
  Kind kind_ = Kind::literal;
  std::size_t index_ = 0;
  std::string text_;
  Variable variable_;
};

class Value {
 public:
  /// What evaluate() gives at most; beyond it the subject is marked and the value is empty.
  static constexpr std::size_t kMaxSize = std::size_t{1} << 20;

  /// Empty and constant.
  Value() = default;
  /// Without looking for variables.
  [[nodiscard]] static Value literal(std::string text);

  /// Errors are reported at the word, in nginx's terms; the value is then empty.
  [[nodiscard]] static Value compile(const config::Word& word, Variables& variables,
                                     config::Diagnostics& diagnostics);

  [[nodiscard]] bool is_constant() const noexcept {
    return pieces_.empty() ||
           (pieces_.size() == 1 && pieces_.front().kind() == Piece::Kind::literal);
  }
  /// The text of a constant; empty for others.
  [[nodiscard]] std::string_view constant() const noexcept {
    return is_constant() && !pieces_.empty() ? std::string_view(pieces_.front().text())
                                             : std::string_view{};
  }
  [[nodiscard]] bool is_empty() const noexcept { return pieces_.empty(); }
  /// Whether it has $1 ... $9.
  [[nodiscard]] bool uses_captures() const noexcept;

  /// Lives as long as the arena and this Value.
  [[nodiscard]] std::string_view evaluate(Subject& subject) const {
    if (pieces_.size() == 1) return pieces_.front().evaluate(subject).value_or(std::string_view{});
    return pieces_.empty() ? std::string_view{} : evaluate_all(subject);
  }
  [[nodiscard]] std::string_view evaluate(exchange::Exchange& exchange) const;

  /// nginx's predicates (access_log's if=, proxy_no_cache): neither empty nor "0".
  [[nodiscard]] bool is_true(Subject& subject) const {
    const std::string_view text = evaluate(subject);
    return !text.empty() && text != "0";
  }

  /// For whoever writes the pieces somewhere else than into one text. Neighbouring literals are
  /// one.
  [[nodiscard]] std::span<const Piece> pieces() const noexcept { return pieces_; }

 private:
  [[nodiscard]] std::string_view evaluate_all(Subject& subject) const;

  std::vector<Piece> pieces_;
};

/// Whether a text would be compiled to more than a constant: has a '$'.
[[nodiscard]] inline bool has_variables(std::string_view text) noexcept {
  return text.find('$') != std::string_view::npos;
}

}  // namespace script
