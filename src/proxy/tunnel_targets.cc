#include "proxy/tunnel_targets.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace proxy {
namespace {

using Kind = TargetRule::Kind;

// RFC 6890 and its registry, as far as it says "not globally reachable", and multicast.
constexpr std::array<std::string_view, 15> kNotPublic{
    "0.0.0.0/8",       "10.0.0.0/8",     "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12",   "192.0.0.0/24",   "192.0.2.0/24",   "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "192.88.99.0/24", "224.0.0.0/4",    "240.0.0.0/4"};
// Of 2000::/3, which is all that is assigned to the public.
constexpr std::array<std::string_view, 4> kNotPublic6{"2001::/23", "2001:db8::/32", "2002::/16",
                                                      "3fff::/20"};

template <std::size_t kCount>
std::array<base::Network, kCount> networks(const std::array<std::string_view, kCount>& texts) {
  std::array<base::Network, kCount> made;
  std::ranges::transform(texts, made.begin(),
                         [](std::string_view text) { return *base::Network::parse(text); });
  return made;
}

template <std::size_t kCount>
bool has(const std::array<base::Network, kCount>& all, const base::Address& address) noexcept {
  return std::ranges::any_of(all,
                             [&](const base::Network& each) { return each.contains(address); });
}

bool is_host_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

bool names(const TargetRule& rule, std::string_view host) noexcept {
  switch (rule.kind) {
    case Kind::any: return true;
    case Kind::name: return host == rule.name;
    case Kind::below:
      if (host == rule.name) return rule.with_itself;
      return host.size() > rule.name.size() + 1 && host.ends_with(rule.name) &&
             host[host.size() - rule.name.size() - 1] == '.';
    case Kind::network: break;
  }
  return false;
}

bool has_port(const TargetRule& rule, std::uint16_t port) noexcept {
  return !rule.port || *rule.port == port;
}

// Takes ":PORT" off the end of `text`.
std::expected<std::optional<std::uint16_t>, std::string_view> take_port(std::string_view& text) {
  constexpr std::uint16_t kHttps = 443;
  const auto colon = text.rfind(':');
  const auto bracket = text.rfind(']');
  if (colon == text.npos || (bracket != text.npos && colon < bracket)) return kHttps;
  const std::string_view digits = text.substr(colon + 1);
  text = text.substr(0, colon);
  if (digits == "*") return std::nullopt;
  const auto port = base::parse_number<std::uint16_t>(digits);
  if (!port || *port == 0) return std::unexpected("invalid port");
  return *port;
}

std::optional<base::Network> parse_network(std::string_view text) {
  if (!text.starts_with('[')) return base::Network::parse(text);
  const auto end = text.find(']');
  if (end == text.npos) return std::nullopt;
  const std::string bare = std::string(text.substr(1, end - 1)) + std::string(text.substr(end + 1));
  return base::Network::parse(bare);
}

}  // namespace

std::expected<TargetRule, std::string_view> parse_target_rule(std::string_view text) {
  TargetRule rule;
  const auto port = take_port(text);
  if (!port) return std::unexpected(port.error());
  rule.port = *port;
  if (text == "any") return rule;
  if (!text.starts_with("unix:")) {
    if (const auto network = parse_network(text)) {
      rule.kind = Kind::network;
      rule.network = *network;
      return rule;
    }
  }
  rule.kind = Kind::name;
  if (text.starts_with("*.") || text.starts_with('.')) {
    rule.kind = Kind::below;
    rule.with_itself = text.starts_with('.');
    text.remove_prefix(rule.with_itself ? 1 : 2);
  }
  rule.name = base::lower(text);
  if (!is_host_name(rule.name)) return std::unexpected("invalid host");
  return rule;
}

bool is_public(const base::Address& address) noexcept {
  static const auto kHidden = networks(kNotPublic);
  static const auto kHidden6 = networks(kNotPublic6);
  static const base::Network kGlobal = *base::Network::parse("2000::/3");
  if (address.family() == AF_INET) return !has(kHidden, address);
  return address.family() == AF_INET6 && kGlobal.contains(address) && !has(kHidden6, address);
}

bool may_lead_to(std::span<const TargetRule> rules, std::string_view host,
                 std::uint16_t port) noexcept {
  const auto address = base::Address::from_ip(host, port);
  if (address) return may_connect(rules, host, *address, port);
  return std::ranges::any_of(rules, [&](const TargetRule& rule) {
    return has_port(rule, port) && (rule.kind == Kind::network || names(rule, host));
  });
}

bool may_connect(std::span<const TargetRule> rules, std::string_view host,
                 const base::Address& address, std::uint16_t port) noexcept {
  return std::ranges::any_of(rules, [&](const TargetRule& rule) {
    if (!has_port(rule, port)) return false;
    if (rule.kind == Kind::network) return rule.network.contains(address);
    return names(rule, host) && is_public(address);
  });
}

}  // namespace proxy
