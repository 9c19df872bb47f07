#include "config/interpreter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "base/text.h"

namespace config {
namespace {

class Walk {
 public:
  Walk(const Vocabulary& vocabulary, Diagnostics& diagnostics, FileSource& files,
       const BuildFlags& flags)
      : vocabulary_(vocabulary), diagnostics_(diagnostics), files_(files), flags_(flags) {}

  void block(const std::vector<Directive>& directives, Level& level);
  void report_harmless();

 private:
  // The directives that may stand once in a block, and where they were first seen.
  using Seen = std::map<const DirectiveSpec*, Position>;

  void apply(const Directive& directive, Level& level, Seen& seen);
  void without_spec(const Directive& directive, Context context);
  [[nodiscard]] bool form_is_right(const Directive& directive, const DirectiveSpec& spec);
  [[nodiscard]] bool is_duplicate(const Directive& directive, const DirectiveSpec& spec,
                                  Seen& seen);
  [[nodiscard]] std::string suspicion_of(const Directive& directive) const;

  const Vocabulary& vocabulary_;
  Diagnostics& diagnostics_;
  FileSource& files_;
  const BuildFlags& flags_;
  std::vector<std::pair<std::string_view, std::size_t>> harmless_;  // name, how often
  Position first_harmless_;
};

void Walk::block(const std::vector<Directive>& directives, Level& level) {
  Seen seen;
  for (const Directive& each : directives) apply(each, level, seen);
}

void Walk::apply(const Directive& directive, Level& level, Seen& seen) {
  const DirectiveSpec* spec = vocabulary_.find(directive.name.text, level.context());
  if (spec == nullptr) return without_spec(directive, level.context());
  if (!form_is_right(directive, *spec) || is_duplicate(directive, *spec, seen)) return;

  const bool nested = spec->block.kind == Block::Kind::nested;
  Level& target = nested ? level.add_child(spec->block.child, directive) : level;
  if (spec->set != nullptr) {
    Binding binding{
        directive, *spec, target, diagnostics_, files_, flags_, suspicion_of(directive)};
    spec->set(binding);
  }
  if (nested) block(directive.block, target);
}

void Walk::without_spec(const Directive& directive, Context context) {
  const std::string& name = directive.name.text;
  if (const UnsupportedSpec* known = vocabulary_.find_unsupported(name, context)) {
    if (known->policy == UnsupportedSpec::Policy::harmless) {
      if (harmless_.empty()) first_harmless_ = directive.name.at;
      const auto counted = std::ranges::find(harmless_, known->name,
                                             &std::pair<std::string_view, std::size_t>::first);
      if (counted == harmless_.end()) {
        harmless_.emplace_back(known->name, 1);
      } else {
        ++counted->second;
      }
      return;
    }
    std::string hint(known->hint);
    if (hint.empty() && known->stage.empty()) hint = "remove it";
    if (hint.empty()) hint = fmt::format("remove it; it is planned for stage \"{}\"", known->stage);
    diagnostics_.error(directive.name.at,
                       fmt::format("\"{}\" directive is not supported{}", name,
                                   known->stage.empty() ? "" : " yet"),
                       std::move(hint));
    return;
  }
  ContextSet elsewhere;
  for (const DirectiveSpec* spec : vocabulary_.find(name)) elsewhere = elsewhere | spec->contexts;
  // Where it would be refused is no advice.
  if (elsewhere.empty()) elsewhere = vocabulary_.contexts_of(name);
  if (!elsewhere.empty()) {
    diagnostics_.error(
        directive.name.at, fmt::format("\"{}\" directive is not allowed here", name),
        fmt::format("this is {}; it may stand in {}", name_of(context), describe(elsewhere)));
    return;
  }
  const std::string_view meant = vocabulary_.nearest(name, context);
  diagnostics_.error(directive.name.at, fmt::format("unknown directive \"{}\"", name),
                     meant.empty() ? std::string() : fmt::format("did you mean \"{}\"?", meant));
}

bool Walk::form_is_right(const Directive& directive, const DirectiveSpec& spec) {
  const Position at = directive.name.at;
  const std::string& name = directive.name.text;
  const bool wants_block = spec.block.kind != Block::Kind::none;
  if (!wants_block && directive.has_block) {
    diagnostics_.error(at, fmt::format("directive \"{}\" is not terminated by \";\"", name));
    return false;
  }
  if (wants_block && !directive.has_block) {
    diagnostics_.error(at, fmt::format("directive \"{}\" has no opening \"{{\"", name));
    return false;
  }
  const std::size_t count = directive.arguments.size();
  if (count < spec.arguments.min || count > spec.arguments.max) {
    const std::string suspicion = suspicion_of(directive);
    diagnostics_.error(at, fmt::format("invalid number of arguments in \"{}\" directive", name),
                       fmt::format("syntax: {}{}{}{}{}{}", name, spec.syntax.empty() ? "" : " ",
                                   spec.syntax, wants_block ? " { ... }" : ";",
                                   suspicion.empty() ? "" : " Perhaps ", suspicion));
    return false;
  }
  if (spec.block.kind != Block::Kind::raw) return true;
  bool flat = true;
  for (const Directive& entry : directive.block) {
    if (!entry.has_block) continue;
    diagnostics_.error(entry.block_start, "unexpected \"{\"",
                       fmt::format("a \"{}\" block holds no other blocks", name));
    flat = false;
  }
  return flat;
}

bool Walk::is_duplicate(const Directive& directive, const DirectiveSpec& spec, Seen& seen) {
  if (spec.repeat == Repeat::repeatable) return false;
  const auto [first, is_new] = seen.emplace(&spec, directive.name.at);
  if (is_new) return false;
  diagnostics_.error(directive.name.at,
                     fmt::format("\"{}\" directive is duplicate", directive.name.text),
                     fmt::format("it stands already in {}", diagnostics_.place(first->second)));
  return true;
}

// A forgotten ";" makes the next line's directive an argument: the commonest of mistakes, and its
// own message is about something else.
std::string Walk::suspicion_of(const Directive& directive) const {
  const Word* previous = &directive.name;
  for (const Word& word : directive.arguments) {
    if (word.at.line != previous->at.line && !word.quoted &&
        !vocabulary_.contexts_of(word.text).empty()) {
      return fmt::format("a \";\" is missing at the end of line {}", previous->at.line);
    }
    previous = &word;
  }
  return {};
}

void Walk::report_harmless() {
  if (harmless_.empty()) return;
  std::vector<std::string> names;
  names.reserve(harmless_.size());
  for (const auto& [name, times] : harmless_) {
    names.push_back(times == 1 ? fmt::format("\"{}\"", name)
                               : fmt::format("\"{}\" ({} times)", name, times));
  }
  diagnostics_.warning(first_harmless_, fmt::format("without effect until they are supported: {}",
                                                    fmt::join(names, ", ")));
}

}  // namespace

Vocabulary::Vocabulary(std::span<const Feature> features, UnsupportedTable unsupported)
    : features_(features) {
  for (const Feature& feature : features) {
    for (const DirectiveSpec& spec : feature.directives) {
      // Disjoint contexts, or a directive would have two owners.
      CHECK(find(spec.name, spec.contexts) == nullptr);
      meanings_[spec.name].specs.push_back(&spec);
    }
  }
  for (const UnsupportedSpec& spec : unsupported) meanings_[spec.name].unsupported.push_back(&spec);
}

std::span<const DirectiveSpec* const> Vocabulary::find(std::string_view name) const noexcept {
  const auto found = meanings_.find(name);
  if (found == meanings_.end()) return {};
  return found->second.specs;
}

const DirectiveSpec* Vocabulary::find(std::string_view name, ContextSet contexts) const noexcept {
  for (const DirectiveSpec* spec : find(name)) {
    if (spec->contexts.intersects(contexts)) return spec;
  }
  return nullptr;
}

const UnsupportedSpec* Vocabulary::find_unsupported(std::string_view name,
                                                    Context context) const noexcept {
  const auto found = meanings_.find(name);
  if (found == meanings_.end()) return nullptr;
  for (const UnsupportedSpec* spec : found->second.unsupported) {
    if (spec->contexts.contains(context)) return spec;
  }
  return nullptr;
}

ContextSet Vocabulary::contexts_of(std::string_view name) const noexcept {
  ContextSet all;
  const auto found = meanings_.find(name);
  if (found == meanings_.end()) return all;
  for (const DirectiveSpec* spec : found->second.specs) all = all | spec->contexts;
  for (const UnsupportedSpec* spec : found->second.unsupported) all = all | spec->contexts;
  return all;
}

std::string_view Vocabulary::nearest(std::string_view name, Context context) const {
  constexpr std::size_t kLongestName = 64;
  if (name.size() > kLongestName) return {};
  std::vector<std::string_view> here;
  std::vector<std::string_view> all;
  for (const auto& [known, meaning] : meanings_) {
    all.push_back(known);
    if (contexts_of(known).contains(context)) here.push_back(known);
  }
  // Ties are decided by the order, and a hash table's order is nobody's choice.
  std::ranges::sort(here);
  std::ranges::sort(all);
  if (const auto meant = base::nearest(name, here)) return *meant;
  return base::nearest(name, all).value_or(std::string_view());
}

std::vector<const DirectiveSpec*> Vocabulary::reference() const {
  std::vector<const DirectiveSpec*> all;
  for (const Feature& feature : features_) {
    for (const DirectiveSpec& spec : feature.directives) all.push_back(&spec);
  }
  std::ranges::sort(all, {}, [](const DirectiveSpec* spec) {
    return std::pair(spec->name, describe(spec->contexts));
  });
  return all;
}

bool wrap_bare_servers(Tree& tree, const Vocabulary& vocabulary) {
  const auto is_server = [](const Directive& directive) {
    return directive.name.text == "server" && directive.has_block;
  };
  const auto first = std::ranges::find_if(tree.directives, is_server);
  if (first == tree.directives.end() || find_directive(tree, "http") != nullptr) return false;

  Directive http;
  http.name = {"http", first->name.at, false};
  http.has_block = true;
  http.block_start = http.block_end = first->name.at;
  std::vector<Directive> outside;
  for (Directive& directive : tree.directives) {
    const ContextSet contexts = vocabulary.contexts_of(directive.name.text);
    const bool inside = is_server(directive) ||
                        (contexts.contains(Context::http) && !contexts.contains(Context::main));
    (inside ? http.block : outside).push_back(std::move(directive));
  }
  outside.push_back(std::move(http));
  tree.directives = std::move(outside);
  return true;
}

void interpret(const Tree& tree, const Vocabulary& vocabulary, Level& root,
               Diagnostics& diagnostics, FileSource& files, const BuildFlags& flags) {
  Walk walk(vocabulary, diagnostics, files, flags);
  walk.block(tree.directives, root);
  walk.report_harmless();
  resolve(root, vocabulary.features());
}

}  // namespace config
