// The interpreter walks a directive tree with the tables of all features: it finds each directive's
// spec by name and context, checks arguments, blocks and repetition, opens levels and calls
// setters. It reports everything that is wrong, not only the first.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/directive.h"
#include "config/tree.h"

namespace config {

/// A directive of nginx's that is known but not supported yet.
struct UnsupportedSpec {
  enum class Policy : std::uint8_t {
    harmless,  // loaded; one warning names all of them
    refused,  // an error that says what to do
  };
  std::string_view name;
  ContextSet contexts;
  std::string_view stage;  // the part of the plan that brings it; empty: none does
  Policy policy = Policy::refused;
  std::string_view hint;  // what to do meanwhile
};
using UnsupportedTable = std::span<const UnsupportedSpec>;

/// All tables together, by name. The tables outlive it.
class Vocabulary {
 public:
  Vocabulary(std::span<const Feature> features, UnsupportedTable unsupported);

  [[nodiscard]] std::span<const DirectiveSpec* const> find(std::string_view name) const noexcept;
  [[nodiscard]] const DirectiveSpec* find(std::string_view name,
                                          ContextSet contexts) const noexcept;
  [[nodiscard]] const UnsupportedSpec* find_unsupported(std::string_view name,
                                                        Context context) const noexcept;
  /// Where the name may stand, supported or not; empty for an unknown name.
  [[nodiscard]] ContextSet contexts_of(std::string_view name) const noexcept;
  /// The known name that was probably meant: first among those allowed in `context`, then any.
  [[nodiscard]] std::string_view nearest(std::string_view name, Context context) const;

  /// Every spec, sorted by name and context: the user's reference.
  [[nodiscard]] std::vector<const DirectiveSpec*> reference() const;
  [[nodiscard]] std::span<const Feature> features() const noexcept { return features_; }

 private:
  struct Meaning {
    std::vector<const DirectiveSpec*> specs;
    std::vector<const UnsupportedSpec*> unsupported;
  };
  std::span<const Feature> features_;
  std::unordered_map<std::string_view, Meaning> meanings_;
};

/// If the tree has `server` blocks at its top and no `http`: moves them, and whatever else may
/// stand in http but not in main, into an `http` block. Returns whether it did.
bool wrap_bare_servers(Tree& tree, const Vocabulary& vocabulary);

/// Sets every directive of the tree into `root` and levels below it, then resolves the inheritance.
/// `tree` outlives `root`.
void interpret(const Tree& tree, const Vocabulary& vocabulary, Level& root,
               Diagnostics& diagnostics, FileSource& files, const BuildFlags& flags);

}  // namespace config
