#include "script/variables.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace script {

Variables::Variables(std::span<const VariableTable> tables,
                     std::span<const UnsupportedVariable> unsupported)
    : tables_(tables), unsupported_(unsupported) {
  for (const VariableTable table : tables_) {
    for (const VariableSpec& spec : table) {
      if (spec.kind == VariableSpec::Kind::exact) {
        exact_.emplace(spec.name, &spec);
      } else {
        families_.push_back(&spec);
      }
    }
  }
  // The longest prefix wins, as in nginx.
  std::ranges::sort(families_, std::ranges::greater{},
                    [](const VariableSpec* spec) { return spec->name.size(); });
}

const VariableSpec* Variables::find(std::string_view name) const noexcept {
  if (const auto found = exact_.find(name); found != exact_.end()) return found->second;
  for (const VariableSpec* family : families_) {
    if (name.size() > family->name.size() && name.starts_with(family->name)) return family;
  }
  return nullptr;
}

const UnsupportedVariable* Variables::find_unsupported(std::string_view name) const noexcept {
  const auto found = std::ranges::find_if(unsupported_, [name](const UnsupportedVariable& known) {
    return known.name.ends_with('*') ? name.starts_with(known.name.substr(0, known.name.size() - 1))
                                     : name == known.name;
  });
  return found != unsupported_.end() ? &*found : nullptr;
}

std::optional<Variable> Variables::use(std::string_view name, config::Position at,
                                       config::Diagnostics& diagnostics) {
  const std::string lowered = base::lower(name);
  if (const VariableSpec* spec = find(lowered)) {
    used_.insert(spec);
    Variable variable;
    variable.get = spec->get;
    if (spec->kind == VariableSpec::Kind::family)
      variable.suffix = lowered.substr(spec->name.size());
    if (spec->prepare != nullptr) variable.tag = spec->prepare(variable.suffix);
    // Whatever has a family's name may be defined later.
    if (spec->kind == VariableSpec::Kind::family) variable.definition = &slot(lowered).definition;
    variable.secret = spec->is_secret != nullptr && spec->is_secret(variable.suffix);
    return variable;
  }
  if (const UnsupportedVariable* later = find_unsupported(lowered)) {
    diagnostics.error(at, fmt::format("the \"{}\" variable is not supported yet", name),
                      fmt::format("it comes with the part \"{}\"", later->stage));
    return std::nullopt;
  }
  Slot& found = place(lowered);
  if (!found.declared) found.uses.push_back(at);
  Variable variable;
  variable.definition = &found.definition;
  return variable;
}

std::optional<Variable> Variables::find_used_or_built_in(std::string_view name) const {
  Variable variable;
  const auto slot = slots_.find(name);
  if (slot != slots_.end()) variable.definition = &slot->second.definition;
  const VariableSpec* spec = find(name);
  if (spec == nullptr) return slot != slots_.end() ? std::optional(variable) : std::nullopt;
  variable.get = spec->get;
  if (spec->kind == VariableSpec::Kind::family) variable.suffix = name.substr(spec->name.size());
  if (spec->prepare != nullptr) variable.tag = spec->prepare(variable.suffix);
  return variable;
}

bool Variables::is_used(std::string_view name) const noexcept { return used_.contains(find(name)); }

std::optional<std::size_t> Variables::declare(std::string_view name, config::Position at,
                                              config::Diagnostics& diagnostics) {
  const std::string lowered = base::lower(name);
  if (exact_.contains(lowered) || find_unsupported(lowered) != nullptr) {
    diagnostics.error(at, fmt::format("the duplicate \"{}\" variable", name),
                      "a variable of that name exists; take another one");
    return std::nullopt;
  }
  Slot& found = place(lowered);
  found.declared = true;
  found.uses.clear();
  return found.definition.slot;
}

void Variables::define(std::string_view name, std::unique_ptr<const Source> source, Caching caching,
                       config::Position at, config::Diagnostics& diagnostics) {
  const std::string lowered = base::lower(name);
  if (exact_.contains(lowered) || find_unsupported(lowered) != nullptr) {
    diagnostics.error(at, fmt::format("the duplicate \"{}\" variable", name),
                      "a variable of that name exists; take another one");
    return;
  }
  // A slot for whoever uses it; uses of a family's name had no need of one so far.
  Slot& found = find(lowered) != nullptr ? place(lowered) : slot(lowered);
  found.declared = true;
  found.uses.clear();
  found.definition.source = std::move(source);
  found.definition.cached = caching == Caching::whole_exchange;
}

Variables::Slot& Variables::slot(std::string_view name) {
  if (const auto found = slots_.find(name); found != slots_.end()) return found->second;
  Slot& added = slots_[std::string(name)];
  added.definition.name = name;
  return added;
}

// One that has room in each exchange.
Variables::Slot& Variables::place(std::string_view name) {
  Slot& found = slot(name);
  if (found.definition.slot == kNoSlot) found.definition.slot = slot_count_++;
  return found;
}

std::optional<std::string_view> Definition::compute(Subject& subject) const {
  if (subject.depth == kMaxDepth) {
    subject.cycled = true;
    subject.fail(exchange::EvaluationFailure::Kind::cycle,
                 subject.arena.join("cycle while evaluating variable \"", name, "\""));
    return std::nullopt;
  }
  // What is not kept would be computed again by each of those that need it, and twice as often with
  // each level.
  if (subject.cycled && !cached) return std::nullopt;
  ++subject.depth;
  const auto computed = source->compute(subject);
  if (--subject.depth == 0) subject.cycled = false;
  if (cached && computed && slot < subject.slots.size()) subject.slots[slot] = computed;
  return computed;
}

void Subject::fail(exchange::EvaluationFailure::Kind kind, std::string_view what) noexcept {
  if (kind != exchange::EvaluationFailure::Kind::cycle) failed = true;
  if (exchange != nullptr && kind > exchange->failure.kind) exchange->failure = {kind, what};
}

void Variables::finish(config::Diagnostics& diagnostics) const {
  struct Use {
    config::Position at;
    std::string_view name;
  };
  std::vector<Use> unknown;
  for (const auto& [name, slot] : slots_) {
    for (const config::Position at : slot.uses) unknown.push_back({at, name});
  }
  std::ranges::sort(unknown, {}, [](const Use& use) {
    return std::tuple(use.at.file, use.at.line, use.at.column);
  });
  for (const Use& use : unknown) {
    diagnostics.error(use.at, fmt::format("unknown \"{}\" variable", use.name), hint_for(use.name));
  }
}

std::string Variables::hint_for(std::string_view name) const {
  std::vector<std::string_view> known;
  known.reserve(exact_.size() + slots_.size());
  for (const auto& entry : exact_) known.push_back(entry.first);
  for (const auto& [slot_name, slot] : slots_) {
    if (slot.declared) known.push_back(slot_name);
  }
  const auto nearest = base::nearest(name, known);
  return nearest ? fmt::format("did you mean \"${}\"?", *nearest) : std::string{};
}

}  // namespace script
