// ForwardOptions: what the proxy_* directives of one level say, as written. ForwardPlan (plan.h) is
// what is made of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/address.h"
#include "config/directive.h"
#include "config/inherited_list.h"
#include "http/field_name.h"
#include "http/method.h"
#include "io/proxy_protocol.h"

namespace proxy {

struct HeaderSetting {
  std::string name;
  config::Word value;

  /// Under `proxy_set_header_inherit merge`: a nearer block's takes its place.
  [[nodiscard]] bool replaces(const HeaderSetting& other) const {
    return http::equal_folded(name, other.name);
  }
};

/// A line of proxy_cookie_domain, proxy_cookie_path or proxy_cookie_flags.
struct CookieRule {
  enum class Kind : std::uint8_t { off, replace, regex };
  Kind kind = Kind::off;
  config::Word from;  // the pattern without its mark for Kind::regex
  std::vector<config::Word> to;  // the replacement, or the flags
  bool ignore_case = false;
};

/// proxy_next_upstream: what has another server of the group asked.
struct NextUpstream {
  bool error = true;
  bool timeout = true;
  bool invalid_header = false;
  bool non_idempotent = false;  // also where the request may have had effects
  std::vector<unsigned> statuses{};
};

/// `proxy_bind`: the address that connections to backends come from.
struct BindSetting {
  std::optional<config::Word> address;  // nothing: off
};

struct RedirectRule {
  enum class Kind : std::uint8_t { off, use_default, replace, regex };
  Kind kind = Kind::use_default;
  config::Word from;  // Kind::replace; the pattern without its mark for Kind::regex
  config::Word to;
  bool ignore_case = false;
};

struct ForwardOptions {
  using Milliseconds = std::chrono::milliseconds;

  std::string_view prefix{"proxy_"};  // of the directives that set them
  config::Setting<bool> buffering{true};
  config::Setting<bool> intercept_errors{false};
  config::Setting<bool> request_buffering{true};
  config::Setting<std::uint64_t> head_size{64 * 1024};  // of a response
  config::Setting<std::uint64_t> max_headers{200};  // likewise
  config::Setting<Milliseconds> connect_timeout{Milliseconds(60'000)};
  config::Setting<Milliseconds> read_timeout{Milliseconds(60'000)};
  config::Setting<Milliseconds> send_timeout{Milliseconds(60'000)};
  config::Setting<http::Version> http_version{http::Version::http_1_1};
  config::Setting<std::optional<io::ProxyVersion>> proxy_protocol;  // toward backends
  config::InheritedList<HeaderSetting> set_headers;
  config::Setting<std::vector<std::string>> hide_headers;
  config::Setting<std::vector<std::string>> pass_headers;
  config::Setting<std::vector<RedirectRule>> redirects;
  config::Setting<std::vector<CookieRule>> cookie_domains;
  config::Setting<std::vector<CookieRule>> cookie_paths;
  config::Setting<std::vector<CookieRule>> cookie_flags;
  config::Setting<std::vector<http::FieldName>> ignored_headers;  // of those that instruct us
  config::Setting<bool> pass_trailers{true};  // compat nginx: off
  config::Setting<bool> force_ranges{false};
  config::Setting<std::vector<config::Word>> early_hints;  // conditions
  config::Setting<std::optional<config::Word>> limit_rate;

  config::Setting<config::Word> method;  // unset: the client's
  config::Setting<config::Word> set_body;  // unset: the client's
  config::Setting<bool> pass_request_headers{true};
  config::Setting<bool> pass_request_body{true};
  config::Setting<BindSetting> bind;
  config::Setting<bool> socket_keepalive{false};
  config::Setting<std::uint64_t> socket_rcvbuf{0};  // 0: the system's
  config::Setting<std::uint64_t> socket_sndbuf{0};
  config::Setting<bool> ignore_client_abort{false};
  config::Setting<NextUpstream> next_upstream;
  config::Setting<std::uint64_t> next_tries{0};  // in all; 0: as many as there are servers
  config::Setting<Milliseconds> next_timeout{Milliseconds(0)};  // 0: no limit

  auto settings(this auto& self) {
    return std::tie(self.intercept_errors, self.buffering, self.request_buffering, self.head_size,
                    self.max_headers, self.connect_timeout, self.read_timeout, self.send_timeout,
                    self.http_version, self.proxy_protocol, self.set_headers, self.hide_headers,
                    self.pass_headers, self.redirects, self.cookie_domains, self.cookie_paths,
                    self.cookie_flags, self.ignored_headers, self.pass_trailers, self.force_ranges,
                    self.early_hints, self.limit_rate, self.method, self.set_body,
                    self.pass_request_headers, self.pass_request_body, self.bind,
                    self.socket_keepalive, self.socket_rcvbuf, self.socket_sndbuf,
                    self.ignore_client_abort, self.next_upstream, self.next_tries,
                    self.next_timeout);
  }
  [[nodiscard]] bool ignores(http::FieldName name) const {
    return std::ranges::find(*ignored_headers, name) != ignored_headers->end();
  }
};

/// `proxy_pass` or `grpc_pass`: a location's own, never inherited.
struct PassOptions {
  enum class Protocol : bool { http, grpc };
  config::Word target;
  Protocol protocol = Protocol::http;
  bool is_set = false;
};
void set_target(config::Binding& binding, PassOptions::Protocol protocol);

extern const config::Feature kForwardFeature;
extern const config::Feature kPassingFeature;
extern const config::Feature kCookieFeature;

}  // namespace proxy
