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
    variable.secret = spec->is_secret != nullptr && spec->is_secret(variable.suffix);
    return variable;
  }
  if (const UnsupportedVariable* later = find_unsupported(lowered)) {
    diagnostics.error(at, fmt::format("the \"{}\" variable is not supported yet", name),
                      fmt::format("it comes with the part \"{}\"", later->stage));
    return std::nullopt;
  }
  Slot& found = slot(lowered);
  if (!found.declared) found.uses.push_back(at);
  Variable variable;
  variable.slot = found.index;
  return variable;
}

bool Variables::is_used(std::string_view name) const noexcept { return used_.contains(find(name)); }

std::optional<std::size_t> Variables::declare(std::string_view name, config::Position at,
                                              config::Diagnostics& diagnostics) {
  const std::string lowered = base::lower(name);
  if (find(lowered) != nullptr || find_unsupported(lowered) != nullptr) {
    diagnostics.error(at, fmt::format("the duplicate \"{}\" variable", name),
                      "a variable of that name exists; give the group another one");
    return std::nullopt;
  }
  Slot& found = slot(lowered);
  found.declared = true;
  found.uses.clear();
  return found.index;
}

Variables::Slot& Variables::slot(std::string_view name) {
  if (const auto found = slots_.find(name); found != slots_.end()) return found->second;
  Slot added;
  added.index = slots_.size();
  return slots_.emplace(std::string(name), std::move(added)).first->second;
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
