// The directives that proxy_... and grpc_... have in common, each with options of its own: rows
// are written once, with the names of proxy_pass's.
#include <array>

#include "base/text.h"
#include "config/inherited_list.h"
#include "config/setters.h"
#include "http/field_name.h"
#include "proxy/grpc_directives.h"
#include "proxy/grpc_options.h"
#include "proxy/plan.h"

namespace proxy {
namespace {

using config::Binding;
using config::kHttpServerLocation;
using config::Repeat;
using config::takes;
using http::FieldName;

template <class O>
void add_header_setting(Binding& binding) {
  binding.options<O>().set_headers.append(HeaderSetting{binding.argument(0), binding.word(1)},
                                          binding.where());
}

template <class O>
void set_head_size(Binding& binding) {
  const auto size = config::read_size(binding, 0);
  if (!size) return;
  if (*size < 128 || *size > 256 * 1024) {
    return binding.invalid(0, "a response's header has between 128 bytes and 256 KB");
  }
  binding.options<O>().head_size.set(*size, binding.where());
}

// nginx's nine: those that tell a cache something are known before there is one.
template <class O>
void set_ignored_headers(Binding& binding) {
  constexpr std::array<config::Choice<FieldName>, 9> kNames{
      {{"X-Accel-Redirect", FieldName::x_accel_redirect},
       {"X-Accel-Expires", FieldName::x_accel_expires},
       {"X-Accel-Limit-Rate", FieldName::x_accel_limit_rate},
       {"X-Accel-Buffering", FieldName::x_accel_buffering},
       {"X-Accel-Charset", FieldName::x_accel_charset},
       {"Expires", FieldName::expires},
       {"Cache-Control", FieldName::cache_control},
       {"Set-Cookie", FieldName::set_cookie},
       {"Vary", FieldName::vary}}};
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const auto name = config::read_choice<FieldName>(binding, i, kNames);
    if (name) binding.options<O>().ignored_headers.append(*name, binding.where());
  }
}

template <class O>
void set_next_upstream(Binding& binding) {
  constexpr std::array<std::string_view, 13> kWords{
      "error",    "timeout",  "invalid_header", "non_idempotent", "http_500", "http_502",
      "http_503", "http_504", "http_403",       "http_404",       "http_429", "updating",
      "off"};
  NextUpstream next{.error = false, .timeout = false};
  bool off = false;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const auto word = config::read_choice(binding, i, kWords);
    if (!word) return;
    const std::string_view text = kWords[*word];
    next.error = next.error || text == "error";
    next.timeout = next.timeout || text == "timeout";
    next.invalid_header = next.invalid_header || text == "invalid_header";
    next.non_idempotent = next.non_idempotent || text == "non_idempotent";
    off = off || text == "off";
    if (text.starts_with("http_")) {
      next.statuses.push_back(base::parse_number<unsigned>(text.substr(5)).value_or(0));
    }
  }
  if (off) next = {.error = false, .timeout = false};
  binding.options<O>().next_upstream.set(std::move(next), binding.where());
}

template <class O>
void set_bind(Binding& binding) {
  const std::string& address = binding.argument(0);
  BindSetting setting;
  if (binding.count() == 2) {
    return binding.error_at(1,
                            binding.argument(1) == "transparent"
                                ? "\"transparent\" is not supported"
                                : "invalid parameter \"" + binding.argument(1) + "\"",
                            "the server process has no right to take clients' addresses for its "
                            "own: tell them by a header, or by proxy_protocol");
  }
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
template <class O, config::Setting<std::uint64_t> ForwardOptions::* kMember>
void set_socket_buffer(Binding& binding) {
  const auto size = config::read_size(binding);
  if (!size) return;
  if (*size > 1U << 30) return binding.invalid(0, "at most 1g");
  (binding.options<O>().*kMember).set(*size, binding.where());
}

template <class O>
constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "proxy_set_header",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .repeat = Repeat::repeatable,
     .syntax = "NAME VALUE",
     .default_text = "Host $proxy_host",
     .documentation = "A header of the request to the backend; an empty VALUE removes it.",
     .set = add_header_setting<O>},
    {.name = "proxy_ignore_headers",
     .contexts = kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "NAME...",
     .documentation = "Headers by which backends instruct the proxy, and which it does not follow: "
                      "X-Accel-Redirect, X-Accel-Limit-Rate, X-Accel-Buffering, ...",
     .set = set_ignored_headers<O>},
    {.name = "proxy_hide_header",
     .contexts = kHttpServerLocation,
     .repeat = Repeat::repeatable,
     .syntax = "NAME",
     .documentation = "A header of the backend's that clients don't get.",
     .set = config::append_texts<&ForwardOptions::hide_headers, O>},
    {.name = "proxy_pass_header",
     .contexts = kHttpServerLocation,
     .repeat = Repeat::repeatable,
     .syntax = "NAME",
     .documentation = "Lets clients have a header that is hidden by default: Date, Server, "
                      "X-Accel-*, X-Pad.",
     .set = config::append_texts<&ForwardOptions::pass_headers, O>},
    {.name = "proxy_intercept_errors",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether error_page also holds for a backend's answers of 300 and above.",
     .set = config::set_flag<&ForwardOptions::intercept_errors, O>},
    {.name = "proxy_buffer_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "64k",
     .documentation = "Largest header of a backend's response; beyond it: 502.",
     .set = set_head_size<O>},
    {.name = "proxy_max_headers",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "200",
     .documentation = "Most header fields that a backend's response may have.",
     .set = config::set_number<&ForwardOptions::max_headers, 1, 100'000, O>},
    {.name = "proxy_bind",
     .contexts = kHttpServerLocation,
     .arguments = takes(1, 2),
     .syntax = "off | ADDRESS[:PORT]",
     .documentation = "The address of this machine that connections to backends come from.",
     .set = set_bind<O>},
    {.name = "proxy_socket_keepalive",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether the kernel looks after silent connections to backends "
                      "(SO_KEEPALIVE).",
     .set = config::set_flag<&ForwardOptions::socket_keepalive, O>},
    {.name = "proxy_socket_rcvbuf",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "The kernel's receive buffer of connections to backends (SO_RCVBUF).",
     .set = set_socket_buffer<O, &ForwardOptions::socket_rcvbuf>},
    {.name = "proxy_socket_sndbuf",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "The kernel's send buffer of connections to backends (SO_SNDBUF).",
     .set = set_socket_buffer<O, &ForwardOptions::socket_sndbuf>},
    {.name = "proxy_next_upstream",
     .contexts = kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "error | timeout | invalid_header | http_CODE | non_idempotent | off ...",
     .default_text = "error timeout",
     .documentation =
         "What has another server of a group asked: failures, and answers of CODE 403, "
         "404, 429, 500, 502, 503 or 504.",
     .set = set_next_upstream<O>},
    {.name = "proxy_next_upstream_tries",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "0",
     .documentation = "Servers that are asked at most, the first one included; 0: all.",
     .set = config::set_number<&ForwardOptions::next_tries, 0, ~std::uint64_t{0}, O>},
    {.name = "proxy_next_upstream_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "0",
     .documentation = "How long after the first attempt another one may begin; 0: no limit.",
     .set = config::set_duration<&ForwardOptions::next_timeout, O>},
    {.name = "proxy_connect_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "Time to connect to a backend, and for its handshake.",
     .set = config::set_duration<&ForwardOptions::connect_timeout, O>},
    {.name = "proxy_read_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "Longest silence of a backend that owes an answer.",
     .set = config::set_duration<&ForwardOptions::read_timeout, O>},
    {.name = "proxy_send_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "Longest time that a backend may take nothing.",
     .set = config::set_duration<&ForwardOptions::send_timeout, O>},
};

}  // namespace

// Inherited by kForwardFeature, with the others of ForwardOptions.
const config::Feature kPassingFeature{"backends", kDirectives<ForwardOptions>,
                                      [](const config::Level*, config::Level&) {}};

const config::Feature kGrpcFeature{
    "gRPC", grpc_directives(kDirectives<GrpcOptions>, AlsoPass::yes),
    config::inherit_options_with_lists<GrpcOptions, &GrpcOptions::set_headers>};

}  // namespace proxy
