#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"

namespace base {

/// The number's digits, in the arena.
[[nodiscard]] std::string_view decimal(std::uint64_t number, Arena& arena);

}  // namespace base
