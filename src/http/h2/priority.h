// Priority: what the Priority field asks for (RFC 9218 §4).
#pragma once

#include <cstdint>
#include <string_view>

namespace http::h2 {

struct Priority {
  std::uint8_t urgency = 3;  // 0: first, 7: last
  bool incremental = false;  // of use in parts, so it shares with others of its urgency
};

/// "u=1, i". What can't be read is left at its default: it is a hint, and never an error.
[[nodiscard]] Priority parse_priority(std::string_view value) noexcept;

}  // namespace http::h2
