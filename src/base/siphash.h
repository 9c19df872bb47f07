// SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012): a keyed hash for tables whose keys
// clients choose. Without the key nobody can make two texts that collide, so a table may keep the
// hash in place of the text: entries of one size, and no text of a client's in memory.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string_view>

namespace base {

struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  auto operator<=>(const Hash128&) const = default;
};

using SipKey = std::array<std::uint64_t, 2>;

/// A key that nobody knows.
[[nodiscard]] SipKey random_sip_key() noexcept;
[[nodiscard]] Hash128 siphash128(const SipKey& key, std::string_view text) noexcept;

}  // namespace base
