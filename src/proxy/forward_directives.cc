// The directives of PassOptions, and those of ForwardOptions that only proxy_pass has. The others:
// passing_directives.cc.
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

void set_pass(Binding& binding) { set_target(binding, PassOptions::Protocol::http); }

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

void set_early_hints(Binding& binding) {
  for (std::size_t i = 0; i < binding.count(); ++i) {
    binding.options<O>().early_hints.append(binding.word(i), binding.where());
  }
}

void set_limit_rate(Binding& binding) {
  if (check_rate(binding)) binding.options<O>().limit_rate.set(binding.word(0), binding.where());
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
    {.name = "proxy_set_header_inherit",
     .contexts = kHttpServerLocation,
     .syntax = "on | off | merge",
     .default_text = "on",
     .documentation = "Whether a block has the headers of the one around it if it has none of its "
                      "own, never, or those that it does not set itself.",
     .set = config::set_list_inheritance<&O::set_headers>},
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
    {.name = "proxy_ignore_client_abort",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether a backend is let finish when its client has left.",
     .set = config::set_flag<&O::ignore_client_abort>},
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

// As in nginx, the last one holds; a request has one way.
void set_target(Binding& binding, PassOptions::Protocol protocol) {
  auto& pass = binding.options<PassOptions>();
  if (pass.is_set) {
    binding.warn(
        "\"" + std::string(binding.name()) + "\" takes the place of another one in this block",
        "proxy_pass and grpc_pass do not go together: remove one of them");
  }
  pass.target = binding.word(0);
  pass.protocol = protocol;
  pass.is_set = true;
}

const config::Feature kForwardFeature{"forward", kDirectives,
                                      config::inherit_options_with_lists<O, &O::set_headers>};

}  // namespace proxy
