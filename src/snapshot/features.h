// All features that a configuration may use, by name: no registry is filled by static initialisers.
#pragma once

#include <span>

#include "config/directive.h"
#include "config/interpreter.h"
#include "script/variables.h"

namespace snapshot {

[[nodiscard]] std::span<const config::Feature> features() noexcept;
[[nodiscard]] config::UnsupportedTable unsupported_directives() noexcept;
/// All tables of variables: script's own, and those of the floors above it.
[[nodiscard]] std::span<const script::VariableTable> variables() noexcept;

}  // namespace snapshot
