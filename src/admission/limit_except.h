// `limit_except METHOD... { }`: a location's other methods are served by the block's rules.
#pragma once

#include <bitset>

#include "config/directive.h"
#include "http/method.h"

namespace admission {

/// Of a location that has such a block; never inherited.
struct LimitExcept {
  std::bitset<32> methods;  // that the block is not for, by http::Method
  const config::Level* level = nullptr;
};

extern const config::Feature kLimitExceptFeature;

/// The level that holds for a request of that method: the block's, or the location's own.
[[nodiscard]] const config::Level& level_for(const config::Level& location,
                                             http::Method method) noexcept;

}  // namespace admission
