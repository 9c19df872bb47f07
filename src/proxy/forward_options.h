// ForwardOptions: what the proxy_* directives of one level say, as written. ForwardPlan (plan.h) is
// what is made of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "http/method.h"
#include "io/proxy_protocol.h"

namespace proxy {

struct HeaderSetting {
  std::string name;
  config::Word value;
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
  config::Setting<std::vector<HeaderSetting>> set_headers;
  config::Setting<std::vector<std::string>> hide_headers;
  config::Setting<std::vector<std::string>> pass_headers;
  config::Setting<std::vector<RedirectRule>> redirects;

  auto settings(this auto& self) {
    return std::tie(self.intercept_errors, self.buffering, self.request_buffering, self.head_size,
                    self.max_headers, self.connect_timeout, self.read_timeout, self.send_timeout,
                    self.http_version, self.proxy_protocol, self.set_headers, self.hide_headers,
                    self.pass_headers, self.redirects);
  }
};

/// `proxy_pass`: a location's own, never inherited.
struct PassOptions {
  config::Word target;
  bool is_set = false;
};

extern const config::Feature kForwardFeature;

}  // namespace proxy
