// proxy_cookie_domain, proxy_cookie_path and proxy_cookie_flags: what of the backend's Set-Cookie
// fields is rewritten for clients. A cookie that no rule meets stays as it came, to the byte.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "exchange/exchange.h"
#include "proxy/forward_options.h"
#include "script/pattern.h"
#include "script/value.h"

namespace proxy {

struct CookiePlan {
  struct Rule {
    script::Value from;  // when there is no pattern
    std::optional<script::Pattern> pattern;
    script::Value to;
  };
  struct FlagRule {
    script::Value name;  // of the cookie, when there is no pattern
    std::optional<script::Pattern> pattern;
    std::vector<script::Value> flags;
  };
  std::vector<Rule> domains;
  std::vector<Rule> paths;
  std::vector<FlagRule> flags;

  [[nodiscard]] bool empty() const noexcept {
    return domains.empty() && paths.empty() && flags.empty();
  }
};

[[nodiscard]] CookiePlan plan_cookies(const ForwardOptions& options, script::Variables& variables,
                                      config::Diagnostics& diagnostics);

/// The value of a Set-Cookie field as clients get it.
[[nodiscard]] std::string_view rewrite_cookie(const CookiePlan& plan, exchange::Exchange& exchange,
                                              std::string_view value);

}  // namespace proxy
