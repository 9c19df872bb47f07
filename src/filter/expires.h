// `expires`: the Expires and Cache-Control fields by which caches know how long a response is good.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <tuple>

#include "config/directive.h"
#include "exchange/exchange.h"
#include "script/value.h"

namespace filter {

/// access: TIME from now; modified: from Last-Modified; daily: at a time of the day.
struct ExpiresRule {
  enum class Kind : std::uint8_t { off, epoch, max, access, modified, daily };
  Kind kind = Kind::off;
  std::chrono::seconds time{0};
};

/// "30d", "-1", "@15h30m", "epoch", "max", "off"; the last three mean nothing special behind
/// `modified`. The error is in nginx's words.
[[nodiscard]] std::expected<ExpiresRule, std::string_view> parse_expires(std::string_view text,
                                                                         bool modified) noexcept;

struct ExpiresSetting {
  ExpiresRule rule;
  bool modified = false;
  std::optional<config::Word> variable;  // a text with variables, parsed for each response
};

struct ExpiresOptions {
  config::Setting<ExpiresSetting> expires;
  auto settings(this auto& self) { return std::tie(self.expires); }
};

struct ExpiresPlan {
  ExpiresRule rule;
  bool modified = false;
  std::optional<script::Value> value;
};

extern const config::Feature kExpiresFeature;

/// After inheritance, for each http, server and location level.
void provision_expires(config::Level& level, script::Variables& variables,
                       config::Diagnostics& diagnostics);

/// Sets Expires and Cache-Control of exchange.response, each to one field. A value with variables
/// that is no valid one sets nothing. False: the fields' limit was reached.
[[nodiscard]] bool apply_expires(const config::Level& level, exchange::Exchange& exchange);

}  // namespace filter
