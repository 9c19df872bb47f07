#include "route/listen_directive.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>

#include "base/text.h"
#include "config/values.h"
#include "route/route_options.h"

namespace route {
namespace {

using config::Binding;

constexpr std::uint16_t kDefaultPort = 80;

// What the kernel takes for TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT.
constexpr std::chrono::seconds kMaxKeepAliveTime{32767};
constexpr int kMaxKeepAliveCount = 127;

struct Ports {
  std::uint16_t first = kDefaultPort;
  std::uint16_t last = kDefaultPort;
};

/// "80" or "8000-8010".
std::expected<Ports, std::string> parse_ports(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = base::parse_number<std::uint16_t>(text.substr(0, dash));
  const auto last = dash == std::string_view::npos
                        ? first
                        : base::parse_number<std::uint16_t>(text.substr(dash + 1));
  if (!first || !last || *first == 0 || *last == 0) return std::unexpected("invalid port");
  if (*first > *last) return std::unexpected("invalid port range");
  return Ports{*first, *last};
}

std::vector<base::Address> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<base::Address> addresses;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return addresses;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const auto address = base::Address::from_native(at->ai_addr, at->ai_addrlen).with_port(0);
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
  }
  return addresses;
}

// --- parameters

/// A whole number from `min`; reports others in nginx's words.
std::optional<int> read_count(const Binding& binding, std::size_t i, std::string_view name,
                              std::string_view value, int min) {
  const auto number = base::parse_number<std::uint32_t>(value);
  if (number && std::in_range<int>(*number) && static_cast<int>(*number) >= min) {
    return static_cast<int>(*number);
  }
  binding.error_at(i, "invalid " + std::string(name) + " \"" + std::string(value) + "\"",
                   "a number of connections");
  return std::nullopt;
}

std::optional<int> read_buffer(const Binding& binding, std::size_t i, std::string_view name,
                               std::string_view value) {
  const auto size = config::parse_size(value);
  if (size && *size > 0 && std::in_range<int>(*size)) return static_cast<int>(*size);
  binding.error_at(i, "invalid " + std::string(name) + " \"" + std::string(value) + "\"",
                   "a size such as 64k");
  return std::nullopt;
}

std::optional<std::chrono::seconds> keep_alive_time(std::string_view text) {
  const auto time = config::parse_seconds(text);
  if (!time || *time < std::chrono::seconds(1) || *time > kMaxKeepAliveTime) return std::nullopt;
  return time;
}

/// "on", "off" or "[IDLE]:[INTERVAL]:[COUNT]", of which at least one is there.
std::optional<io::TcpKeepAlive> parse_keep_alive(std::string_view value) {
  if (value == "on" || value == "off") return io::TcpKeepAlive{.on = value == "on"};
  io::TcpKeepAlive alive{.on = true};
  std::array<std::string_view, 3> parts;
  std::size_t count = 0;
  for (bool more = true; more; ++count) {
    if (count == parts.size()) return std::nullopt;
    const auto colon = value.find(':');
    more = colon != std::string_view::npos;
    parts.at(count) = value.substr(0, colon);
    if (more) value.remove_prefix(colon + 1);
  }
  if (!parts[0].empty() && !(alive.idle = keep_alive_time(parts[0]))) return std::nullopt;
  if (!parts[1].empty() && !(alive.interval = keep_alive_time(parts[1]))) return std::nullopt;
  if (!parts[2].empty()) {
    alive.count = base::parse_number<std::uint8_t>(parts[2]);
    if (!alive.count || *alive.count == 0 || *alive.count > kMaxKeepAliveCount) return std::nullopt;
  }
  const bool any = alive.idle || alive.interval || alive.count;
  return any ? std::optional(alive) : std::nullopt;
}

void set_ipv6_only(const Binding& binding, std::size_t i, std::string_view value,
                   ListenOptions& listen) {
  if (value == "on" || value == "off") {
    listen.socket.ipv6_only = value == "on";
  } else {
    binding.error_at(i, "invalid ipv6only flags \"" + std::string(value) + "\"", "on or off");
  }
}

void set_keep_alive(const Binding& binding, std::size_t i, std::string_view value,
                    ListenOptions& listen) {
  listen.socket.keep_alive = parse_keep_alive(value);
  if (!listen.socket.keep_alive) {
    binding.error_at(i, "invalid so_keepalive value: \"" + std::string(value) + "\"",
                     "on, off or [IDLE]:[INTERVAL]:[COUNT], such as 30m::10");
  }
}

/// Parameters of the address itself; each address may have them once. False: none of them.
bool read_socket_parameter(const Binding& binding, std::size_t i, std::string_view name,
                           std::string_view value, ListenOptions& listen) {
  io::ListenOptions& socket = listen.socket;
  if (name == "bind" || name == "reuseport") {
    // Each address has a socket of its own, and each worker one in its SO_REUSEPORT group.
  } else if (name == "deferred") {
    socket.deferred = true;
  } else if (name == "multipath") {
    socket.multipath = true;
  } else if (name == "backlog=") {
    socket.backlog = read_count(binding, i, "backlog", value, 1).value_or(socket.backlog);
  } else if (name == "fastopen=") {
    socket.fast_open = read_count(binding, i, "fastopen", value, 0);
  } else if (name == "rcvbuf=") {
    socket.receive_buffer = read_buffer(binding, i, "rcvbuf", value);
  } else if (name == "sndbuf=") {
    socket.send_buffer = read_buffer(binding, i, "sndbuf", value);
  } else if (name == "ipv6only=") {
    set_ipv6_only(binding, i, value, listen);
  } else if (name == "so_keepalive=") {
    set_keep_alive(binding, i, value, listen);
  } else {
    return false;
  }
  listen.has_socket_options = true;
  return true;
}

void refuse_parameter(const Binding& binding, std::size_t i, std::string_view name) {
  const std::string& word = binding.argument(i);
  if (name == "quic") {
    return binding.error_at(i, "the parameter \"quic\" is not supported yet", "remove it");
  }
  if (name == "setfib=" || name == "accept_filter=") {
    return binding.error_at(i, "the parameter \"" + word + "\" is for FreeBSD", "remove it");
  }
  constexpr std::string_view kKnown[] = {
      "default_server", "ssl",       "http2",     "proxy_protocol", "backlog=",
      "rcvbuf=",        "sndbuf=",   "deferred",  "bind",           "fastopen=",
      "so_keepalive=",  "ipv6only=", "reuseport", "multipath",      "default"};
  const auto meant = base::nearest(name, kKnown);
  binding.error_at(i, "invalid parameter \"" + word + "\"",
                   meant ? "did you mean \"" + std::string(*meant) + "\"?" : "");
}

void read_parameter(const Binding& binding, std::size_t i, ListenOptions& listen) {
  const std::string_view word = binding.argument(i);
  const std::string_view name = word.substr(0, std::min(word.size(), word.find('=') + 1));
  const std::string_view key = name.empty() ? word : name;
  if (word == "default_server" || word == "default") {
    listen.default_server = true;
  } else if (word == "ssl") {
    listen.tls = true;
  } else if (word == "proxy_protocol") {
    listen.proxy_protocol = true;
  } else if (word == "http2") {
    listen.http2 = true;
  } else if (!read_socket_parameter(binding, i, key, word.substr(name.size()), listen)) {
    refuse_parameter(binding, i, key);
  }
}

/// Parameters of TCP mean nothing to a Unix socket; nginx's setsockopt() fails there.
void warn_of_unix(const Binding& binding) {
  constexpr std::string_view kTcpOnly[] = {"deferred", "multipath",
                                           "fastopen=", "ipv6only=", "so_keepalive="};
  for (std::size_t i = 1; i < binding.count(); ++i) {
    const std::string_view word = binding.argument(i);
    if (std::ranges::any_of(kTcpOnly, [&](std::string_view name) {
          return name.ends_with('=') ? word.starts_with(name) : word == name;
        })) {
      binding.warn_at(i, "\"" + std::string(word) + "\" has no meaning for a Unix socket, ignored");
    }
  }
}

}  // namespace

std::expected<std::vector<base::Address>, std::string> parse_listen_address(std::string_view text) {
  if (text.starts_with("unix:")) {
    const auto address = base::Address::from_path(text.substr(5));
    if (!address) return std::unexpected("invalid or too long path");
    return std::vector{*address};
  }
  Ports ports;
  std::string_view host = text;
  const auto colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  const bool has_port =
      colon != std::string_view::npos && (!bracketed || (colon > 0 && text[colon - 1] == ']'));
  const bool only_port = !text.empty() && text.find_first_not_of("0123456789-") == text.npos;
  if (has_port || only_port) {
    const auto parsed = parse_ports(has_port ? text.substr(colon + 1) : text);
    if (!parsed) return std::unexpected(parsed.error());
    ports = *parsed;
    host = has_port ? text.substr(0, colon) : "*";
  }
  if (host == "*") host = "0.0.0.0";
  if (host.empty()) return std::unexpected("no host");
  std::vector<base::Address> hosts;
  if (const auto address = base::Address::from_ip(host, 0)) {
    hosts.push_back(*address);
  } else if (!bracketed) {
    hosts = resolve(std::string(host));
  }
  if (hosts.empty()) return std::unexpected("host not found");
  std::vector<base::Address> addresses;
  for (const base::Address& address : hosts) {
    for (unsigned port = ports.first; port <= ports.last; ++port) {
      addresses.push_back(address.with_port(static_cast<std::uint16_t>(port)));
    }
  }
  return addresses;
}

void add_listen(Binding& binding) {
  auto addresses = parse_listen_address(binding.argument(0));
  if (!addresses) {
    return binding.error_at(
        0, addresses.error() + " in \"" + binding.argument(0) + "\" of the \"listen\" directive");
  }
  ListenOptions listen;
  listen.where = binding.where();
  for (std::size_t i = 1; i < binding.count(); ++i) read_parameter(binding, i, listen);
  if (addresses->front().is_unix()) warn_of_unix(binding);
  auto& all = binding.options<ServerOptions>().listens;
  const auto known = [&](const base::Address& address) {
    return std::ranges::find(all, address, &ListenOptions::address) != all.end();
  };
  const auto twice = std::ranges::find_if(*addresses, known);
  if (twice != addresses->end()) {
    return binding.error("a duplicate listen " + twice->text(),
                         "one server listens on an address once");
  }
  for (const base::Address& address : *addresses) {
    listen.address = address;
    all.push_back(listen);
  }
}

}  // namespace route
