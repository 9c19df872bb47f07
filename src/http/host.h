// HostPort: the value of Host, or an :authority, validated (RFC 9110 §7.2, RFC 3986 §3.2.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"

namespace http {

struct HostPort {
  std::string_view host;   // lower case, without trailing dot; an IPv6 literal with its brackets
  std::uint16_t port = 0;  // 0: none given
};

/// A registered name, an IPv4 address or a bracketed IPv6 address, and perhaps a port.
///
/// Narrower than RFC 3986 on purpose: a name is made of letters, digits, '-', '_', '~' and '.', at
/// most 255 of them, without empty labels. Percent escapes and sub-delims (", ; ! '") occur in no
/// real host name, but do in attacks on whatever splits the value again. No user information.
/// `host` is a view into `text` if that is lower case already, else in the arena.
[[nodiscard]] std::optional<HostPort> parse_host(std::string_view text, base::Arena& arena);

}  // namespace http
