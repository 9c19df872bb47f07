// TunnelOptions: what the tunnel_* directives of one level say, as written.
#pragma once

#include <chrono>
#include <cstdint>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "config/level.h"
#include "proxy/forward_options.h"
#include "proxy/tunnel_targets.h"

namespace proxy {

struct TunnelOptions {
  using Milliseconds = std::chrono::milliseconds;

  config::Setting<std::vector<TargetRule>> allowed;  // tunnel_allow
  config::Setting<std::uint64_t> buffer_size{16 * 1024};  // for each direction
  config::Setting<Milliseconds> connect_timeout{Milliseconds(60'000)};
  config::Setting<Milliseconds> read_timeout{
      Milliseconds(60'000)};  // of silence in both directions
  config::Setting<Milliseconds> send_timeout{Milliseconds(60'000)};
  config::Setting<BindSetting> bind;
  config::Setting<bool> socket_keepalive{false};
  config::Setting<std::uint64_t> socket_rcvbuf{0};  // 0: the system's
  config::Setting<std::uint64_t> socket_sndbuf{0};
  config::Setting<NextUpstream> next_upstream;
  config::Setting<std::uint64_t> next_tries{0};  // in all; 0: as many as there are servers
  config::Setting<Milliseconds> next_timeout{Milliseconds(0)};  // 0: no limit

  auto settings(this auto& self) {
    return std::tie(self.allowed, self.buffer_size, self.connect_timeout, self.read_timeout,
                    self.send_timeout, self.bind, self.socket_keepalive, self.socket_rcvbuf,
                    self.socket_sndbuf, self.next_upstream, self.next_tries, self.next_timeout);
  }
};

/// `tunnel_pass`: a block's own, never inherited.
struct TunnelPassOptions {
  config::Word target;  // without text: the client's
  config::Position at{};
  bool is_set = false;
};

extern const config::Feature kTunnelFeature;

}  // namespace proxy
