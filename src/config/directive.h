// Directive tables: how a feature declares the directives that it owns. The same tables drive the
// interpreter, its messages, and the user's reference.
//
// A table is a constant array; server/wiring.cc lists them all by name. A name may have several
// specs if their contexts are disjoint (`server` in http and in upstream).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "config/context.h"
#include "config/diagnostics.h"
#include "config/file_source.h"
#include "config/level.h"
#include "config/tree.h"

namespace config {

struct DirectiveSpec;

/// What is known of the whole configuration before any directive is set.
struct BuildFlags {
  bool compat_nginx = false;  // `compat nginx;`: nginx's defaults
};

/// One directive at the moment it takes effect. For a block directive `level` is the new block's
/// level (the outer one is level.parent()), and `set` runs before the block's own directives. For
/// raw blocks and plain directives `level` is where the directive stands.
struct Binding {
  const Directive& directive;
  const DirectiveSpec& spec;
  Level& level;
  Diagnostics& diagnostics;
  FileSource& files;
  const BuildFlags& flags;
  std::string suspicion{};  // of the interpreter's, added to the hint of every error

  /// Arguments, from 0. The arity was checked: what the spec demands is there.
  [[nodiscard]] const std::string& argument(std::size_t i) const { return word(i).text; }
  [[nodiscard]] const Word& word(std::size_t i) const;
  [[nodiscard]] std::size_t count() const noexcept { return directive.arguments.size(); }
  [[nodiscard]] std::string_view name() const noexcept { return directive.name.text; }
  [[nodiscard]] Position where() const noexcept { return directive.name.at; }

  /// A message under the directive's name, or under its argument `i`.
  void error(std::string message, std::string hint = {}) const;
  void error_at(std::size_t i, std::string message, std::string hint = {}) const;
  void warn(std::string message, std::string hint = {}) const;
  void warn_at(std::size_t i, std::string message, std::string hint = {}) const;
  /// `invalid value "y" in "x" directive` under argument `i`; the hint says what is expected.
  void invalid(std::size_t i, std::string hint) const;

  /// The file that argument `i` names; a failure is reported and gives nothing.
  [[nodiscard]] std::optional<base::Fd> open(std::size_t i, Purpose purpose) const;
  [[nodiscard]] std::optional<std::string> read(std::size_t i, Purpose purpose) const;

  /// Says why the file that argument `i` names can't be used.
  void report_failure(std::size_t i, Purpose purpose, const base::Error& failure) const;

  /// This level's own options.
  template <class T>
  [[nodiscard]] T& options() const {
    return level.options<T>();
  }
};

struct Arity {
  std::size_t min = 0;
  std::size_t max = 0;
};
inline constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();
[[nodiscard]] constexpr Arity takes(std::size_t exactly) { return {exactly, exactly}; }
[[nodiscard]] constexpr Arity takes(std::size_t min, std::size_t max) { return {min, max}; }
[[nodiscard]] constexpr Arity takes_at_least(std::size_t min) { return {min, kAnyNumber}; }

/// none: ends with ";". nested: `{ directives }` at a Level of its own, of context `child`.
/// raw: `{ words; }` that only the setter understands (types, map), found in directive.block.
struct Block {
  enum class Kind : std::uint8_t { none, nested, raw };
  Kind kind = Kind::none;
  Context child = Context::main;
};
inline constexpr Block kNoBlock{};
inline constexpr Block kRawBlock{Block::Kind::raw, Context::main};
[[nodiscard]] constexpr Block opens(Context child) { return {Block::Kind::nested, child}; }

/// once: a second one in the same block is `"x" directive is duplicate`, found by the interpreter.
enum class Repeat : std::uint8_t { once, repeatable };

struct DirectiveSpec {
  std::string_view name;
  ContextSet contexts;
  Arity arguments = takes(1);
  Block block = kNoBlock;
  Repeat repeat = Repeat::once;
  std::string_view syntax{};        // the arguments: "on | off", "NAME VALUE [always]"
  std::string_view default_text{};  // empty if there is none
  std::string_view documentation;   // one line
  void (*set)(Binding&) = nullptr;
};
using DirectiveTable = std::span<const DirectiveSpec>;

/// What a feature brings: its directives, and how its options pass from level to level. `inherit`
/// is called for every level from the top, with null for the main one; usually
/// inherit_options<Options>.
struct Feature {
  std::string_view name;
  DirectiveTable directives;
  void (*inherit)(const Level* parent, Level& child) = nullptr;
};

/// Inheritance, after all directives are set.
void resolve(Level& root, std::span<const Feature> features);

}  // namespace config
