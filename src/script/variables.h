// Variables: the names that expressions may use, as tables like those of directives.
//
// A name is looked up once, while the configuration is loaded, and becomes a function and what it
// needs; at run time there are no names. Names of regular expressions' groups become slots. A use
// may stand before the regular expression that gives it its meaning, so an unknown name gets a slot
// too, and finish() reports those that nobody declared.
//
// A slot may have a Source, which computes its value when it is first needed: maps and their kind.
// As in nginx the value then stays for the rest of the exchange, unless the variable is volatile,
// and whoever writes the slot (`set`, a group) takes the source's place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "script/subject.h"

namespace script {

/// What a getter knows of the name: the part behind a family's prefix, in lower case ("user_agent"
/// of $http_user_agent), and what the spec's `prepare` made of it.
struct Suffix {
  std::string_view text{};
  std::uint32_t tag = 0;
};

/// The variable's value, which lives as long as the subject's arena; nothing where it has none: ""
/// in a value, "-" in a log.
using Getter = std::optional<std::string_view> (*)(Subject& subject, const Suffix& suffix);

struct VariableSpec {
  /// family: the name is a prefix, "http_".
  enum class Kind : std::uint8_t { exact, family };

  std::string_view name;
  Kind kind = Kind::exact;
  Getter get = nullptr;
  std::string_view documentation;  // one line
  /// For families: something that is better computed once than at each evaluation.
  std::uint32_t (*prepare)(std::string_view suffix) = nullptr;
  /// Whether the value is a credential and must not be logged. Null: never.
  bool (*is_secret)(std::string_view suffix) = nullptr;
};
using VariableTable = std::span<const VariableSpec>;

/// A variable of nginx's that is known but not supported yet. A name that ends with '*' is a
/// prefix.
struct UnsupportedVariable {
  std::string_view name;
  std::string_view stage;  // the part of the plan that brings it
};

/// All tables of this folder, and nginx's remaining variables.
[[nodiscard]] std::span<const VariableTable> builtin_variables() noexcept;
[[nodiscard]] std::span<const UnsupportedVariable> unsupported_variables() noexcept;

/// The version of nginx whose language is spoken: $nginx_version.
inline constexpr std::string_view kNginxVersion = "1.31.5";

/// What computes a variable that the configuration defines. Immutable, shared by threads.
class Source {
 public:
  virtual ~Source() = default;
  /// The value, which lives as long as the subject's arena and this source. Nothing: it has none.
  [[nodiscard]] virtual std::optional<std::string_view> compute(Subject& subject) const = 0;
};

inline constexpr std::size_t kNoSlot = static_cast<std::size_t>(-1);

/// What a name with a slot means. Its address is the same as long as its Variables live, so that a
/// use may stand before the definition and needs no look-up later.
struct Definition {
  /// How deep variables may need one another; a variable that needs itself ends there (nginx's
  /// bound).
  static constexpr unsigned kMaxDepth = 100;

  std::string name;
  std::size_t slot = kNoSlot;
  std::unique_ptr<const Source> source;  // null: the slot is all there is
  bool cached = true;

  [[nodiscard]] std::optional<std::string_view> value(Subject& subject) const {
    if (slot < subject.slots.size()) {
      if (const auto& kept = subject.slots[slot]) return kept;
    }
    return source != nullptr ? compute(subject) : std::nullopt;
  }

 private:
  [[nodiscard]] std::optional<std::string_view> compute(Subject& subject) const;
};

/// A resolved name.
struct Variable {
  Getter get = nullptr;  // null: a slot
  const Definition* definition = nullptr;  // of a slot, or what may take a family's place
  std::string suffix;
  std::uint32_t tag = 0;
  bool secret = false;
};

/// whole_exchange: computed once. none: at each use (nginx's `volatile`).
enum class Caching : std::uint8_t { whole_exchange, none };

class Variables {
 public:
  explicit Variables(std::span<const VariableTable> tables = builtin_variables(),
                     std::span<const UnsupportedVariable> unsupported = unsupported_variables());

  /// What `name` (in any letter case) stands for. Nothing, and reported, when it is not supported
  /// yet.
  [[nodiscard]] std::optional<Variable> use(std::string_view name, config::Position at,
                                            config::Diagnostics& diagnostics);

  /// At run time, for pages that name variables: what a table or the configuration has by that
  /// name, in lower case.
  [[nodiscard]] std::optional<Variable> find_used_or_built_in(std::string_view name) const;

  /// Whether use() was asked for the variable of that name, in lower case, which a table has.
  [[nodiscard]] bool is_used(std::string_view name) const noexcept;

  /// The slot of a regular expression's group. Nothing, and reported, when a table has that name.
  [[nodiscard]] std::optional<std::size_t> declare(std::string_view name, config::Position at,
                                                   config::Diagnostics& diagnostics);

  /// Gives `name`, without its '$' and in any letter case, a source; of several the last one
  /// counts. It may take the place of one name of a family, as $http_x. Reported when a table has
  /// the very name.
  void define(std::string_view name, std::unique_ptr<const Source> source, Caching caching,
              config::Position at, config::Diagnostics& diagnostics);

  /// Reports every use of a name that nobody declared: `unknown "x" variable`.
  void finish(config::Diagnostics& diagnostics) const;

  /// How many slots an exchange needs.
  [[nodiscard]] std::size_t slot_count() const noexcept { return slot_count_; }

 private:
  struct Slot {
    Definition definition;
    bool declared = false;
    std::vector<config::Position> uses;  // until it is declared
  };
  [[nodiscard]] const VariableSpec* find(std::string_view name) const noexcept;
  [[nodiscard]] const UnsupportedVariable* find_unsupported(std::string_view name) const noexcept;
  Slot& slot(std::string_view name);
  Slot& place(std::string_view name);
  [[nodiscard]] std::string hint_for(std::string_view name) const;

  std::span<const VariableTable> tables_;
  std::span<const UnsupportedVariable> unsupported_;
  std::map<std::string_view, const VariableSpec*> exact_;
  std::vector<const VariableSpec*> families_;
  std::set<const VariableSpec*> used_;
  std::map<std::string, Slot, std::less<>> slots_;
  std::size_t slot_count_ = 0;
};

}  // namespace script
