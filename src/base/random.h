// Random bytes from the kernel, for whatever a peer must not guess.
#pragma once

#include <cstdint>
#include <span>

namespace base {

/// Fills `into` by getrandom(2). Never fails after boot; a failure is a CHECK.
void fill_random(std::span<std::uint8_t> into) noexcept;
[[nodiscard]] std::uint64_t random_u64() noexcept;

}  // namespace base
