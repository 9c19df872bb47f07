// What somebody who comes from nginx wants to know of a file: which of its directives have no
// meaning here, and which differences from nginx touch it. Asked of the directives as they are
// written, so it answers for files with errors, too.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "config/interpreter.h"
#include "config/tree.h"

namespace snapshot {

struct WithoutEffect {
  std::string_view name;
  config::Position at;
  std::string_view why;
};

/// Directives that are accepted for nginx's files and change nothing, in the order of the file.
[[nodiscard]] std::vector<WithoutEffect> without_effect(const config::Tree& tree,
                                                        const config::Vocabulary& vocabulary);

/// The blocks around a directive, its own included, from the outermost.
using Surroundings = std::span<const std::vector<config::Directive>* const>;

/// A row of docs/guide/differences.md that a file can be touched by, in its words (a test
/// compares).
struct NginxDifference {
  std::string_view what;
  bool compat = false;  // `compat nginx;` takes it away: the rows with a star
  std::string_view nginx;
  std::string_view here;
  std::string_view way;  // nginx's way, here
  std::array<std::string_view, 2> directives{};  // at which it may show
  std::array<std::string_view, 2> settled_by{};  // if all of these hold there, it does not
  bool (*touches)(const config::Directive& directive, Surroundings around) = nullptr;
};
[[nodiscard]] std::span<const NginxDifference> nginx_differences() noexcept;

struct Touched {
  const NginxDifference* difference;
  std::vector<config::Position> places;  // at least one
};

/// The differences that touch a file, in the order of the guide.
[[nodiscard]] std::vector<Touched> differences_of(const config::Tree& tree);

}  // namespace snapshot
