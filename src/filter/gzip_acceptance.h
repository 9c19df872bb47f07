// Whether a client is sent gzip: what `gzip`, `gunzip` and `gzip_static` ask alike, by
// Accept-Encoding and gzip_http_version, gzip_proxied, gzip_disable; and the Vary that gzip_vary
// has them add.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/regex.h"
#include "config/directive.h"
#include "config/setters.h"
#include "exchange/exchange.h"

namespace filter {

/// For requests that have come through another proxy (Via), the words of gzip_proxied.
enum class GzipProxied : std::uint8_t {
  off,
  expired,
  no_cache,
  no_store,
  private_,
  no_last_modified,
  no_etag,
  auth,
  any,
};
inline constexpr std::size_t kGzipProxiedCount = 9;
using GzipProxiedSet = std::bitset<kGzipProxiedCount>;

struct GzipAcceptanceOptions {
  config::Setting<bool> vary{false};
  config::Setting<http::Version> http_version{http::Version::http_1_1};
  config::Setting<GzipProxiedSet> proxied{GzipProxiedSet{1}};  // off
  config::Setting<std::vector<std::shared_ptr<const base::Regex>>> disabled;  // User-Agents
  config::Setting<bool> disabled_msie6{false};
  auto settings(this auto& self) {
    return std::tie(self.vary, self.http_version, self.proxied, self.disabled, self.disabled_msie6);
  }
};

extern const config::Feature kGzipAcceptanceFeature;

/// Accept-Encoding as nginx reads it: "gzip" is named, and not with q=0.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding) noexcept;

/// nginx's rules, by the request and the head that exchange.response has by now.
[[nodiscard]] bool may_send_gzip(const GzipAcceptanceOptions& options,
                                 const exchange::Exchange& exchange);

}  // namespace filter
