// Http2Options: what clients may do over HTTP/2. The limits of heads and bodies, and the times, are
// those of HTTP/1 (client_options.h).
#pragma once

#include <cstdint>
#include <tuple>

#include "config/directive.h"
#include "http/h2/limits.h"

namespace proxy {

struct Http2Options {
  using Rate = http::h2::Rate;
  static constexpr http::h2::Limits kLimits{};

  config::Setting<bool> on{false};
  config::Setting<std::uint64_t> max_streams{kLimits.max_streams};
  config::Setting<std::uint64_t> body_preread_size{kLimits.stream_window};
  config::Setting<std::uint64_t> chunk_size{16 * 1024};
  config::Setting<std::uint64_t> max_continuations{kLimits.max_continuations};
  config::Setting<std::uint64_t> memory{kLimits.memory};
  config::Setting<Rate> resets{kLimits.resets};
  config::Setting<Rate> settings_frames{kLimits.settings};
  config::Setting<Rate> pings{kLimits.pings};
  config::Setting<Rate> priorities{kLimits.priorities};
  config::Setting<Rate> window_updates{kLimits.window_updates};
  config::Setting<Rate> empty_frames{kLimits.empty_frames};
  config::Setting<Rate> tiny_data{kLimits.tiny_data};
  config::Setting<Rate> unknown_frames{kLimits.unknown_frames};

  auto settings(this auto& self) {
    return std::tie(self.on, self.max_streams, self.body_preread_size, self.chunk_size,
                    self.max_continuations, self.memory, self.resets, self.settings_frames,
                    self.pings, self.priorities, self.window_updates, self.empty_frames,
                    self.tiny_data, self.unknown_frames);
  }
};

/// Of the http level alone: one number for all connections of a worker.
struct Http2Memory {
  config::Setting<std::uint64_t> total{http::h2::SharedBudget{}.limit};
  auto settings(this auto& self) { return std::tie(self.total); }
};

struct ClientOptions;
/// For a connection to that server. `serves_calls`: some server of its address has a grpc_pass.
[[nodiscard]] http::h2::Limits http2_limits(const Http2Options& options,
                                            const ClientOptions& client, bool compat_nginx,
                                            bool serves_calls);

extern const config::Feature kHttp2Feature;

}  // namespace proxy
