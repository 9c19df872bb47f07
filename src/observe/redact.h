// Redaction: credentials never appear in a log, at any level (architecture §7).
#pragma once

#include <string>
#include <string_view>

namespace observe {

inline constexpr std::string_view kRedacted = "[redacted]";

/// Authorization, Proxy-Authorization, Cookie, Set-Cookie (and the old Cookie2, Set-Cookie2), in
/// any letter case, with '_' taken as '-'.
[[nodiscard]] bool is_secret_field(std::string_view name) noexcept;

/// Text that may hold header lines: wherever "NAME:" of a secret field stands, what follows up to
/// the end of the line becomes "[redacted]". Linear time.
[[nodiscard]] std::string redact_field_lines(std::string_view text);

}  // namespace observe
