// server, listen, server_name, location.
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "config/setters.h"
#include "route/route_options.h"

namespace route {
namespace {

using config::Binding;
using config::Context;
using config::Repeat;

constexpr std::uint16_t kDefaultPort = 80;

std::vector<base::Address> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<base::Address> addresses;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return addresses;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    addresses.push_back(base::Address::from_native(at->ai_addr, at->ai_addrlen).with_port(port));
  }
  return addresses;
}

void set_flag_parameter(Binding& binding, std::size_t i, std::string_view value, bool& flag) {
  if (value == "on" || value == "off") {
    flag = value == "on";
  } else {
    binding.error_at(i, "invalid " + binding.argument(i) + " value, it must be \"on\" or \"off\"");
  }
}

void read_parameter(Binding& binding, std::size_t i, ListenOptions& listen) {
  const std::string_view word = binding.argument(i);
  const std::string_view value = word.substr(std::min(word.size(), word.find('=') + 1));
  if (word == "default_server" || word == "default") {
    listen.default_server = true;
  } else if (word == "ssl") {
    listen.tls = true;
  } else if (word == "http2") {
    binding.warn_at(i, "the \"http2\" parameter is not supported yet and ignored",
                    "clients are served over HTTP/1.1");
  } else if (word.starts_with("backlog=")) {
    const auto backlog = base::parse_number<std::uint16_t>(value);
    if (!backlog || *backlog == 0)
      return binding.error_at(i, "invalid backlog \"" + std::string(value) + "\"");
    listen.backlog = *backlog;
    listen.has_socket_options = true;
  } else if (word.starts_with("ipv6only=")) {
    set_flag_parameter(binding, i, value, listen.ipv6_only);
    listen.has_socket_options = true;
  } else if (word == "bind" || word == "reuseport") {
    // Each address has a socket of its own, and each worker one in its SO_REUSEPORT group.
    listen.has_socket_options = true;
  } else {
    constexpr std::string_view kLater[] = {"proxy_protocol", "deferred", "multipath", "quic"};
    constexpr std::string_view kLaterWithValue[] = {
        "fastopen=", "accept_filter=", "rcvbuf=", "sndbuf=", "so_keepalive=", "setfib="};
    const auto is_prefix = [&](std::string_view prefix) { return word.starts_with(prefix); };
    if (std::ranges::find(kLater, word) != std::end(kLater) ||
        std::ranges::any_of(kLaterWithValue, is_prefix)) {
      return binding.error_at(i, "the parameter \"" + std::string(word) + "\" is not supported yet",
                              "remove it");
    }
    constexpr std::string_view kKnown[] = {
        "default_server", "ssl", "http2", "backlog=", "ipv6only=", "bind", "reuseport"};
    const auto meant = base::nearest(word, kKnown);
    binding.error_at(i, "invalid parameter \"" + std::string(word) + "\"",
                     meant ? "did you mean \"" + std::string(*meant) + "\"?" : "");
  }
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
  auto& all = binding.options<ServerOptions>().listens;
  for (const base::Address& address : *addresses) {
    for (const ListenOptions& other : all) {
      if (other.address == address) {
        return binding.error("a duplicate listen " + binding.argument(0),
                             "one server listens on an address once");
      }
    }
    listen.address = address;
    all.push_back(listen);
  }
}

void add_names(Binding& binding) {
  auto& names = binding.options<ServerOptions>().names;
  names.insert(names.end(), binding.directive.arguments.begin(), binding.directive.arguments.end());
}

void open_server(Binding& binding) { static_cast<void>(binding.options<ServerOptions>()); }

// "location = /x", "location ^~ /x", "location ~ re", "location ~* re", "location @name", and the
// modifier stuck to the name, which nginx takes, too.
void open_location(Binding& binding) {
  auto& location = binding.options<LocationOptions>();
  location.where = binding.where();
  std::string modifier = binding.count() == 2 ? binding.argument(0) : "";
  location.name = binding.argument(binding.count() - 1);
  if (binding.count() == 1) {
    for (const std::string_view stuck : {"~*", "^~", "=", "~"}) {
      if (!location.name.starts_with(stuck)) continue;
      modifier = stuck;
      location.name.erase(0, stuck.size());
      break;
    }
  }
  if (modifier == "=") {
    location.kind = Location::Kind::exact;
  } else if (modifier == "^~") {
    location.kind = Location::Kind::prefix_final;
  } else if (modifier == "~" || modifier == "~*") {
    location.kind = Location::Kind::regex;
    location.ignore_case = modifier == "~*";
  } else if (!modifier.empty()) {
    return binding.error_at(0, "invalid location modifier \"" + modifier + "\"",
                            "one of: = ^~ ~ ~*");
  } else if (location.name.starts_with('@')) {
    location.kind = Location::Kind::named;
  }
  const config::Level* outer = binding.level.parent();
  const auto* around = outer->find<LocationOptions>();
  if (outer->context() != Context::location || around == nullptr) return;
  const std::string quoted = "location \"" + location.name + "\"";
  if (around->kind == Location::Kind::exact) {
    binding.error(quoted + " cannot be inside the exact location \"" + around->name + "\"");
  } else if (around->kind == Location::Kind::named) {
    binding.error(quoted + " cannot be inside the named location \"" + around->name + "\"");
  } else if (location.kind == Location::Kind::named) {
    binding.error("named location \"" + location.name + "\" can be on the server level only");
  } else if (location.kind != Location::Kind::regex && around->kind != Location::Kind::regex &&
             !location.name.starts_with(around->name)) {
    binding.error(quoted + " is outside location \"" + around->name + "\"");
  }
}

constexpr auto kServerOnly = config::ContextSet(Context::server);

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "server",
     .contexts = Context::http,
     .arguments = config::takes(0),
     .block = config::opens(Context::server),
     .repeat = Repeat::repeatable,
     .syntax = "{ ... }",
     .documentation = "A virtual server.",
     .set = open_server},
    {.name = "listen",
     .contexts = kServerOnly,
     .arguments = config::takes_at_least(1),
     .repeat = Repeat::repeatable,
     .syntax = "ADDRESS[:PORT] | PORT | unix:PATH [default_server] [ssl] [backlog=N] "
               "[ipv6only=on|off] [reuseport]",
     .default_text = "*:80 | *:8000",
     .documentation = "Where the server takes connections, and whether they are TLS.",
     .set = add_listen},
    {.name = "server_name",
     .contexts = kServerOnly,
     .arguments = config::takes_at_least(1),
     .repeat = Repeat::repeatable,
     .syntax = "NAME...",
     .default_text = "\"\"",
     .documentation = "Names that the server answers to: exact, *.wildcard, wildcard.*, ~regex.",
     .set = add_names},
    {.name = "location",
     .contexts = Context::server | Context::location,
     .arguments = config::takes(1, 2),
     .block = config::opens(Context::location),
     .repeat = Repeat::repeatable,
     .syntax = "[= | ~ | ~* | ^~] PATH { ... }  |  @NAME { ... }",
     .documentation = "What happens to requests with such a path.",
     .set = open_location},
};

}  // namespace

std::expected<std::vector<base::Address>, std::string> parse_listen_address(std::string_view text) {
  if (text.starts_with("unix:")) {
    const auto address = base::Address::from_path(text.substr(5));
    if (!address) return std::unexpected("invalid or too long path");
    return std::vector{*address};
  }
  std::uint16_t port = kDefaultPort;
  std::string_view host = text;
  const auto colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  const bool has_port =
      colon != std::string_view::npos && (!bracketed || (colon > 0 && text[colon - 1] == ']'));
  if (has_port || base::parse_number<std::uint32_t>(text)) {
    const auto number = base::parse_number<std::uint16_t>(has_port ? text.substr(colon + 1) : text);
    if (!number || *number == 0) return std::unexpected("invalid port");
    port = *number;
    host = has_port ? text.substr(0, colon) : "*";
  }
  if (host == "*") host = "0.0.0.0";
  if (host.empty()) return std::unexpected("no host");
  if (const auto address = base::Address::from_ip(host, port)) return std::vector{*address};
  auto resolved = bracketed ? std::vector<base::Address>{} : resolve(std::string(host), port);
  if (resolved.empty()) return std::unexpected("host not found");
  std::vector<base::Address> unique;
  for (const base::Address& address : resolved) {
    if (std::ranges::find(unique, address) == unique.end()) unique.push_back(address);
  }
  return unique;
}

const config::Feature kFeature{"route", kDirectives, nullptr};

}  // namespace route
