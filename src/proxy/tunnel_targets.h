// TargetRule: a line of tunnel_allow, and what such lines together say of a tunnel's target.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/address.h"

namespace proxy {

/// A name, the names below one, any name, or a network; each with a port.
struct TargetRule {
  enum class Kind : std::uint8_t { any, name, below, network };
  Kind kind = Kind::any;
  std::string name;  // in lower case; of Kind::below without the dot before it
  bool with_itself = false;  // Kind::below: ".a.test", which is a.test, too
  base::Network network;
  std::optional<std::uint16_t> port;  // nothing: any
};

/// "any", "a.test", "*.a.test", ".a.test", "10.0.0.0/8", "[2001:db8::]/32"; behind that ":PORT" or
/// ":*", else it is port 443. The error says what is wrong.
[[nodiscard]] std::expected<TargetRule, std::string_view> parse_target_rule(std::string_view text);

/// A globally reachable unicast address (RFC 6890), of which others cannot make an address of this
/// machine or its networks: no loopback, private, link-local or mapped one, nor those of NAT64,
/// 6to4 and Teredo, which have an IPv4 address in them.
[[nodiscard]] bool is_public(const base::Address& address) noexcept;

/// May a tunnel to `host` (a name in lower case, or the text of an address) at `port` be looked up
/// at all? Some rule must be able to admit it.
[[nodiscard]] bool may_lead_to(std::span<const TargetRule> rules, std::string_view host,
                               std::uint16_t port) noexcept;
/// May it be connected to `address`, which is `host`'s? A rule for names admits public addresses
/// alone; others, like those of this machine, need a network that has them.
[[nodiscard]] bool may_connect(std::span<const TargetRule> rules, std::string_view host,
                               const base::Address& address, std::uint16_t port) noexcept;

}  // namespace proxy
