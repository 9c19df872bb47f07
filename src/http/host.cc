#include "http/host.h"

#include <algorithm>

#include "base/address.h"
#include "base/text.h"
#include "http/characters.h"

namespace http {

namespace {

constexpr std::size_t kMaxHost = 255;

bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kMaxHost && !name.starts_with('.') &&
         !name.ends_with('.') && name.find("..") == std::string_view::npos &&
         character_class::all(name, character_class::kHost);
}

bool is_ipv6(std::string_view inside) noexcept {
  const bool plain = std::ranges::all_of(
      inside, [](char c) { return base::hex_value(c) >= 0 || c == ':' || c == '.'; });
  return plain && inside.find(':') != std::string_view::npos &&
         base::Address::from_ip(inside, 0).has_value();
}

// "" or ":" or ":8080". RFC 3986 §3.2.3 allows the colon without digits.
std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  if (text.empty() || text == ":") return std::uint16_t{0};
  if (!text.starts_with(':') || text.size() > 6) return std::nullopt;
  const auto port = base::parse_number<std::uint16_t>(text.substr(1));
  if (!port || *port == 0) return std::nullopt;
  return port;
}

std::string_view lowered(std::string_view text, base::Arena& arena) {
  if (std::ranges::none_of(text, [](char c) { return c >= 'A' && c <= 'Z'; })) return text;
  const std::span<char> copy = arena.allocate_chars(text.size());
  std::ranges::transform(text, copy.begin(), base::to_lower);
  return {copy.data(), copy.size()};
}

}  // namespace

std::optional<HostPort> parse_host(std::string_view text, base::Arena& arena) {
  std::string_view host;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || !is_ipv6(text.substr(1, close - 1))) return std::nullopt;
    host = text.substr(0, close + 1);
    rest = text.substr(close + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    host = text.substr(0, colon);
    rest = text.substr(colon);
    if (host.ends_with('.')) host.remove_suffix(1);
    if (!is_name(host)) return std::nullopt;
  }
  const auto port = parse_port(rest);
  if (!port) return std::nullopt;
  return HostPort{.host = lowered(host, arena), .port = *port};
}

}  // namespace http
