// BackendHttp2Options: how HTTP/2 is spoken to backends, and what a backend may do over it. Of a
// connection, those hold that its first request came with.
#pragma once

#include <cstdint>
#include <tuple>

#include "config/directive.h"
#include "upstream/http2_terms.h"

namespace proxy {

struct BackendHttp2Options {
  using Rate = http::h2::Rate;
  static constexpr upstream::Http2Terms kTerms{};
  static constexpr http::h2::Limits kLimits = kTerms.limits;

  config::Setting<std::uint64_t> max_connections{kTerms.max_connections};
  config::Setting<std::uint64_t> max_streams{kLimits.max_streams};
  config::Setting<std::uint64_t> max_continuations{kLimits.max_continuations};
  config::Setting<Rate> resets{kLimits.resets};
  config::Setting<Rate> settings_frames{kLimits.settings};
  config::Setting<Rate> pings{kLimits.pings};
  config::Setting<Rate> priorities{kLimits.priorities};
  config::Setting<Rate> window_updates{kLimits.window_updates};
  config::Setting<Rate> empty_frames{kLimits.empty_frames};
  config::Setting<Rate> tiny_data{kLimits.tiny_data};
  config::Setting<Rate> unknown_frames{kLimits.unknown_frames};

  auto settings(this auto& self) {
    return std::tie(self.max_connections, self.max_streams, self.max_continuations, self.resets,
                    self.settings_frames, self.pings, self.priorities, self.window_updates,
                    self.empty_frames, self.tiny_data, self.unknown_frames);
  }
  [[nodiscard]] upstream::Http2Terms terms() const;
};

extern const config::Feature kBackendHttp2Feature;

}  // namespace proxy
