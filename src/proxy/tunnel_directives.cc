// The directives of TunnelOptions and TunnelPassOptions.
#include <array>

#include "config/setters.h"
#include "proxy/plan.h"
#include "proxy/tunnel_options.h"

namespace proxy {
namespace {

using config::Binding;
using config::Context;
using config::kHttpServerLocation;
using config::Repeat;
using config::takes;
using O = TunnelOptions;

constexpr config::ContextSet kPassContexts =
    Context::server | Context::location | Context::if_in_location;

void set_pass(Binding& binding) {
  auto& pass = binding.options<TunnelPassOptions>();
  if (binding.count() > 0) pass.target = binding.word(0);
  pass.at = binding.where();
  pass.is_set = true;
}

void add_allowed(Binding& binding) {
  for (std::size_t i = 0; i < binding.count(); ++i) {
    auto rule = parse_target_rule(binding.argument(i));
    if (!rule) {
      binding.invalid(i, "any, a host, *.HOST or an address or network, then :PORT or :*");
      continue;
    }
    binding.options<O>().allowed.append(*std::move(rule), binding.where());
  }
}

void set_buffer_size(Binding& binding) {
  const auto size = config::read_size(binding);
  if (!size) return;
  if (*size < 512 || *size > 1024 * 1024) {
    return binding.invalid(0, "between 512 bytes and 1 MB");
  }
  binding.options<O>().buffer_size.set(*size, binding.where());
}

void set_bind(Binding& binding) {
  const std::string& address = binding.argument(0);
  if (binding.count() == 2) {
    return binding.error_at(1,
                            binding.argument(1) == "transparent"
                                ? "\"transparent\" is not supported"
                                : "invalid parameter \"" + binding.argument(1) + "\"",
                            "the server process has no right to take clients' addresses for its "
                            "own");
  }
  BindSetting setting;
  if (address != "off") {
    if (!script::has_variables(address) && !parse_local_address(address)) {
      return binding.error_at(0, "invalid address \"" + address + "\"",
                              "an address of this machine, perhaps with a port");
    }
    setting.address = binding.word(0);
  }
  binding.options<O>().bind.set(std::move(setting), binding.where());
}

// The kernel counts in int.
template <config::Setting<std::uint64_t> O::* kMember>
void set_socket_buffer(Binding& binding) {
  const auto size = config::read_size(binding);
  if (!size) return;
  if (*size > 1U << 30) return binding.invalid(0, "at most 1g");
  (binding.options<O>().*kMember).set(*size, binding.where());
}

void set_next_upstream(Binding& binding) {
  constexpr std::array<std::string_view, 3> kWords{"error", "timeout", "off"};
  NextUpstream next{.error = false, .timeout = false};
  bool off = false;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const auto word = config::read_choice(binding, i, kWords);
    if (!word) return;
    next.error = next.error || kWords[*word] == "error";
    next.timeout = next.timeout || kWords[*word] == "timeout";
    off = off || kWords[*word] == "off";
  }
  if (off) next = {.error = false, .timeout = false};
  binding.options<O>().next_upstream.set(std::move(next), binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "tunnel_pass",
     .contexts = kPassContexts,
     .arguments = takes(0, 1),
     .syntax = "[HOST:PORT | GROUP]",
     .default_text = "$host:$request_port",
     .documentation = "Opens tunnels for CONNECT: to this server or group, or without one to where "
                      "the client wants, as far as tunnel_allow lets it. Other methods get a 405.",
     .set = set_pass},
    {.name = "tunnel_allow",
     .contexts = kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .repeat = Repeat::repeatable,
     .syntax = "any | HOST | *.HOST | NETWORK [:PORT | :*] ...",
     .documentation = "Where clients may have tunnels to that choose the target themselves; port "
                      "443 if none is given. Addresses that are not public need a NETWORK. Without "
                      "it no such tunnel is opened.",
     .set = add_allowed},
    {.name = "tunnel_buffer_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "16k",
     .documentation = "What is read at once for each direction of a tunnel.",
     .set = set_buffer_size},
    {.name = "tunnel_connect_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "Time to connect to a tunnel's target.",
     .set = config::set_duration<&O::connect_timeout>},
    {.name = "tunnel_read_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "How long a tunnel may be silent in both directions.",
     .set = config::set_duration<&O::read_timeout>},
    {.name = "tunnel_send_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "Longest time that a tunnel's target may take nothing.",
     .set = config::set_duration<&O::send_timeout>},
    {.name = "tunnel_bind",
     .contexts = kHttpServerLocation,
     .arguments = takes(1, 2),
     .syntax = "off | ADDRESS[:PORT]",
     .documentation = "The address of this machine that connections to targets come from.",
     .set = set_bind},
    {.name = "tunnel_socket_keepalive",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether the kernel looks after silent connections to targets "
                      "(SO_KEEPALIVE).",
     .set = config::set_flag<&O::socket_keepalive>},
    {.name = "tunnel_socket_rcvbuf",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "The kernel's receive buffer of connections to targets (SO_RCVBUF).",
     .set = set_socket_buffer<&O::socket_rcvbuf>},
    {.name = "tunnel_socket_sndbuf",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "The kernel's send buffer of connections to targets (SO_SNDBUF).",
     .set = set_socket_buffer<&O::socket_sndbuf>},
    {.name = "tunnel_next_upstream",
     .contexts = kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "error | timeout | off ...",
     .default_text = "error timeout",
     .documentation = "Which failures to connect have another server or address tried.",
     .set = set_next_upstream},
    {.name = "tunnel_next_upstream_tries",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "0",
     .documentation = "Servers that are tried at most, the first one included; 0: all.",
     .set = config::set_number<&O::next_tries>},
    {.name = "tunnel_next_upstream_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "0",
     .documentation = "How long after the first attempt another one may begin; 0: no limit.",
     .set = config::set_duration<&O::next_timeout>},
};

}  // namespace

const config::Feature kTunnelFeature{"tunnel", kDirectives, config::inherit_options<O>};

}  // namespace proxy
