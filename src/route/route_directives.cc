// server, listen, server_name, location.
#include <string>

#include "config/setters.h"
#include "route/listen_directive.h"
#include "route/route_options.h"

namespace route {
namespace {

using config::Binding;
using config::Context;
using config::Repeat;

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
     .syntax = "ADDRESS[:PORT[-PORT]] | PORT[-PORT] | unix:PATH [default_server] [ssl] "
               "[proxy_protocol] [backlog=N] [rcvbuf=SIZE] [sndbuf=SIZE] [deferred] [fastopen=N] "
               "[so_keepalive=on|off|[IDLE]:[INTERVAL]:[COUNT]] [ipv6only=on|off] [bind] "
               "[reuseport] [multipath]",
     .default_text = "*:80 | *:8000",
     .documentation = "Where the server takes connections, and how: TLS, a PROXY protocol header "
                      "first, options of the socket.",
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

const config::Feature kFeature{"route", kDirectives, nullptr};

}  // namespace route
