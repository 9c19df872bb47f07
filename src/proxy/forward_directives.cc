// The directives of ForwardOptions and PassOptions.
#include <array>

#include "base/text.h"
#include "config/setters.h"
#include "http/field_name.h"
#include "proxy/forward_options.h"
#include "proxy/limit_rate.h"
#include "proxy/plan.h"

namespace proxy {
namespace {

using config::Binding;
using config::kHttpServerLocation;
using config::Repeat;
using config::takes;
using http::FieldName;
using O = ForwardOptions;

void set_pass(Binding& binding) {
  auto& pass = binding.options<PassOptions>();
  pass.target = binding.word(0);
  pass.is_set = true;
}

void add_header_setting(Binding& binding) {
  binding.options<O>().set_headers.append(HeaderSetting{binding.argument(0), binding.word(1)},
                                          binding.where());
}

void add_redirect(Binding& binding) {
  auto& redirects = binding.options<O>().redirects;
  RedirectRule rule;
  if (binding.count() == 1) {
    constexpr std::array<config::Choice<RedirectRule::Kind>, 2> kWords{
        {{"off", RedirectRule::Kind::off}, {"default", RedirectRule::Kind::use_default}}};
    const auto kind = config::read_choice<RedirectRule::Kind>(binding, 0, kWords);
    if (!kind) return;
    rule.kind = *kind;
    return redirects.append(rule, binding.where());
  }
  rule.kind = RedirectRule::Kind::replace;
  rule.from = binding.word(0);
  rule.to = binding.word(1);
  if (rule.from.text.starts_with('~')) {
    rule.kind = RedirectRule::Kind::regex;
    rule.ignore_case = rule.from.text.starts_with("~*");
    rule.from.text.erase(0, rule.ignore_case ? 2 : 1);
  }
  redirects.append(rule, binding.where());
}

void set_head_size(Binding& binding) {
  const auto size = config::read_size(binding, 0);
  if (!size) return;
  if (*size < 128 || *size > 256 * 1024) {
    return binding.invalid(0, "a response's header has between 128 bytes and 256 KB");
  }
  binding.options<O>().head_size.set(*size, binding.where());
}

void set_http_version(Binding& binding) {
  constexpr std::array<config::Choice<http::Version>, 3> kVersions{
      {{"1.0", http::Version::http_1_0},
       {"1.1", http::Version::http_1_1},
       {"2", http::Version::http_2}}};
  if (const auto version = config::read_choice<http::Version>(binding, 0, kVersions)) {
    binding.options<O>().http_version.set(*version, binding.where());
  }
}

constexpr std::array<config::Choice<std::optional<io::ProxyVersion>>, 4> kProxyProtocols{
    {{"off", std::nullopt},
     {"on", io::ProxyVersion::v1},
     {"v1", io::ProxyVersion::v1},
     {"v2", io::ProxyVersion::v2}}};

// nginx's nine: those that tell a cache something are known before there is one.
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

void set_early_hints(Binding& binding) {
  for (std::size_t i = 0; i < binding.count(); ++i) {
    binding.options<O>().early_hints.append(binding.word(i), binding.where());
  }
}

void set_limit_rate(Binding& binding) {
  if (check_rate(binding)) binding.options<O>().limit_rate.set(binding.word(0), binding.where());
}

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

void set_bind(Binding& binding) {
  const std::string& address = binding.argument(0);
  BindSetting setting;
  if (binding.count() == 2) {
    return binding.error_at(1,
                            binding.argument(1) == "transparent"
                                ? "\"transparent\" is not supported"
                                : "invalid parameter \"" + binding.argument(1) + "\"",
                            "the server process has no right to take clients' addresses for its "
                            "own: tell them by proxy_protocol or proxy_set_header");
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
template <config::Setting<std::uint64_t> O::* kMember>
void set_socket_buffer(Binding& binding) {
  const auto size = config::read_size(binding);
  if (!size) return;
  if (*size > 1U << 30) return binding.invalid(0, "at most 1g");
  (binding.options<O>().*kMember).set(*size, binding.where());
}

constexpr config::ContextSet kPassContexts =
    config::Context::location | config::Context::if_in_location | config::Context::limit_except;

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "proxy_pass",
     .contexts = kPassContexts,
     .syntax = "URL",
     .documentation = "Where the location's requests go: http:// or https://, a name, an address, "
                      "a group or unix:/path:, perhaps with a URI.",
     .set = set_pass},
    {.name = "proxy_set_header",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .repeat = Repeat::repeatable,
     .syntax = "NAME VALUE",
     .default_text = "Host $proxy_host",
     .documentation = "A header of the request to the backend; an empty VALUE removes it.",
     .set = add_header_setting},
    {.name = "proxy_set_header_inherit",
     .contexts = kHttpServerLocation,
     .syntax = "on | off | merge",
     .default_text = "on",
     .documentation = "Whether a block has the headers of the one around it if it has none of its "
                      "own, never, or those that it does not set itself.",
     .set = config::set_list_inheritance<&O::set_headers>},
    {.name = "proxy_ignore_headers",
     .contexts = kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "NAME...",
     .documentation = "Headers by which backends instruct the proxy, and which it does not follow: "
                      "X-Accel-Redirect, X-Accel-Limit-Rate, X-Accel-Buffering, ...",
     .set = set_ignored_headers},
    {.name = "proxy_pass_trailers",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether clients get the fields that stand behind a backend's body.",
     .set = config::set_flag<&O::pass_trailers>},
    {.name = "early_hints",
     .contexts = kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "CONDITION...",
     .documentation = "When a backend's 103 (Early Hints) is passed on: if one of these values is "
                      "neither empty nor \"0\".",
     .set = set_early_hints},
    {.name = "proxy_limit_rate",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "Bytes per second of a backend's answer, at most, while proxy_buffering is "
                      "on; 0 for no limit. May have variables in it.",
     .set = set_limit_rate},
    {.name = "proxy_force_ranges",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether a byte range is cut out of a backend's answer that knows none.",
     .set = config::set_flag<&O::force_ranges>},
    {.name = "proxy_hide_header",
     .contexts = kHttpServerLocation,
     .repeat = Repeat::repeatable,
     .syntax = "NAME",
     .documentation = "A header of the backend's that clients don't get.",
     .set = config::append_texts<&O::hide_headers>},
    {.name = "proxy_pass_header",
     .contexts = kHttpServerLocation,
     .repeat = Repeat::repeatable,
     .syntax = "NAME",
     .documentation = "Lets clients have a header that is hidden by default: Date, Server, "
                      "X-Accel-*, X-Pad.",
     .set = config::append_texts<&O::pass_headers>},
    {.name = "proxy_redirect",
     .contexts = kHttpServerLocation,
     .arguments = takes(1, 2),
     .repeat = Repeat::repeatable,
     .syntax = "off | default | FROM TO",
     .default_text = "default",
     .documentation = "Rewrites Location and Refresh of the backend's answers.",
     .set = add_redirect},
    {.name = "proxy_buffering",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether pieces of a response are gathered before they are sent on.",
     .set = config::set_flag<&O::buffering>},
    {.name = "proxy_request_buffering",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether a request's body is received whole before a backend is asked.",
     .set = config::set_flag<&O::request_buffering>},
    {.name = "proxy_intercept_errors",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether error_page also holds for a backend's answers of 300 and above.",
     .set = config::set_flag<&O::intercept_errors>},
    {.name = "proxy_buffer_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "64k",
     .documentation = "Largest header of a backend's response; beyond it: 502.",
     .set = set_head_size},
    {.name = "proxy_max_headers",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "200",
     .documentation = "Most header fields that a backend's response may have.",
     .set = config::set_number<&O::max_headers, 1, 100'000>},
    {.name = "proxy_method",
     .contexts = kHttpServerLocation,
     .syntax = "METHOD",
     .documentation = "The method that backends are asked with instead of the client's.",
     .set = config::set_word<&O::method>},
    {.name = "proxy_set_body",
     .contexts = kHttpServerLocation,
     .syntax = "TEXT",
     .documentation = "The body that backends get instead of the client's.",
     .set = config::set_word<&O::set_body>},
    {.name = "proxy_pass_request_headers",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether backends get the client's header fields.",
     .set = config::set_flag<&O::pass_request_headers>},
    {.name = "proxy_pass_request_body",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether backends get the client's body.",
     .set = config::set_flag<&O::pass_request_body>},
    {.name = "proxy_bind",
     .contexts = kHttpServerLocation,
     .arguments = takes(1, 2),
     .syntax = "off | ADDRESS[:PORT]",
     .documentation = "The address of this machine that connections to backends come from.",
     .set = set_bind},
    {.name = "proxy_socket_keepalive",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether the kernel looks after silent connections to backends "
                      "(SO_KEEPALIVE).",
     .set = config::set_flag<&O::socket_keepalive>},
    {.name = "proxy_socket_rcvbuf",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "The kernel's receive buffer of connections to backends (SO_RCVBUF).",
     .set = set_socket_buffer<&O::socket_rcvbuf>},
    {.name = "proxy_socket_sndbuf",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "The kernel's send buffer of connections to backends (SO_SNDBUF).",
     .set = set_socket_buffer<&O::socket_sndbuf>},
    {.name = "proxy_ignore_client_abort",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether a backend is let finish when its client has left.",
     .set = config::set_flag<&O::ignore_client_abort>},
    {.name = "proxy_next_upstream",
     .contexts = kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "error | timeout | invalid_header | http_CODE | non_idempotent | off ...",
     .default_text = "error timeout",
     .documentation =
         "What has another server of a group asked: failures, and answers of CODE 403, "
         "404, 429, 500, 502, 503 or 504.",
     .set = set_next_upstream},
    {.name = "proxy_next_upstream_tries",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "0",
     .documentation = "Servers that are asked at most, the first one included; 0: all.",
     .set = config::set_number<&O::next_tries>},
    {.name = "proxy_next_upstream_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "0",
     .documentation = "How long after the first attempt another one may begin; 0: no limit.",
     .set = config::set_duration<&O::next_timeout>},
    {.name = "proxy_connect_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "Time to connect to a backend, and for its handshake.",
     .set = config::set_duration<&O::connect_timeout>},
    {.name = "proxy_read_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "Longest silence of a backend that owes an answer.",
     .set = config::set_duration<&O::read_timeout>},
    {.name = "proxy_send_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "Longest time that a backend may take nothing.",
     .set = config::set_duration<&O::send_timeout>},
    {.name = "proxy_http_version",
     .contexts = kHttpServerLocation,
     .syntax = "1.0 | 1.1 | 2",
     .default_text = "1.1",
     .documentation = "The protocol toward backends. 2: many requests share a connection; https "
                      "backends must choose it by ALPN, others must know it beforehand.",
     .set = set_http_version},
    {.name = "proxy_protocol",
     .contexts = kHttpServerLocation,
     .syntax = "off | on | v1 | v2",
     .default_text = "off",
     .documentation = "Whether backends are told the client's address by a PROXY protocol header; "
                      "each request then has a connection of its own. on is v1.",
     .set = config::set_enum<&O::proxy_protocol, kProxyProtocols>},
};

}  // namespace

const config::Feature kForwardFeature{"forward", kDirectives,
                                      config::inherit_options_with_lists<O, &O::set_headers>};

}  // namespace proxy
