// Copies of bytes. std::ranges::copy over characters is not made a memmove by clang 19 on libstdc++
// 12 but a loop, which for the short texts of a head costs several times as much.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "base/check.h"

namespace base {

/// Copies `text` to the front of `into`, which must have room for it and must not overlap it.
inline void copy_bytes(std::string_view text, std::span<char> into) noexcept {
  CHECK(text.size() <= into.size());
  if (!text.empty()) std::memcpy(into.data(), text.data(), text.size());
}

}  // namespace base
