// Heads that must be refused, each with its reason: the tables of the tests of both parsers.
#pragma once

#include <span>
#include <string_view>

#include "http/h1/refusal.h"

namespace http::h1 {

struct HostileHead {
  std::string_view bytes;
  Refusal refusal;
};

[[nodiscard]] std::span<const HostileHead> hostile_requests() noexcept;
[[nodiscard]] std::span<const HostileHead> hostile_responses() noexcept;

}  // namespace http::h1
