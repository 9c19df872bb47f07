// The notations of values in nginx's language. Strict: nothing before, after or between, no sign,
// no overflow; otherwise nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace config {

/// "30s", "500ms", "1h 30m", "1w2d", "90" (seconds). Units from the largest to the smallest, each
/// at most once: y (365 days), M (30 days), w, d, h, m, s, ms.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(
    std::string_view text) noexcept;

/// The same without "ms", for values that nginx keeps in seconds.
[[nodiscard]] std::optional<std::chrono::seconds> parse_seconds(std::string_view text) noexcept;

/// Bytes: "4096", "8k", "1M", "1g".
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

/// "on" or "off", in any letter case as in nginx.
[[nodiscard]] std::optional<bool> parse_flag(std::string_view text) noexcept;

}  // namespace config
