// CONNECT (RFC 9110 §9.3.6, RFC 9113 §8.5): a tunnel to where tunnel_pass says, or to where the
// client wants, as far as tunnel_allow lets it.
#pragma once

#include <memory>
#include <optional>

#include "async/task.h"
#include "proxy/context.h"
#include "proxy/tunnel_options.h"
#include "script/value.h"
#include "upstream/cluster_spec.h"

namespace proxy {

/// What a block's tunnel_* directives mean, compiled once. Shared by the workers.
struct TunnelPlan {
  const TunnelOptions* options = nullptr;
  std::shared_ptr<const upstream::ClusterSpec> cluster;  // null: the target is the request's
  std::optional<script::Value> target;  // with variables; without one: the client's host and port
  bool checks_target = true;  // by tunnel_allow; compat nginx: only where that is given
  upstream::KeepAlive keep_alive;  // of clusters made at run time
  upstream::NameLookup lookup;  // likewise
  std::optional<script::Value> bind;
};

/// Serves a CONNECT to its end. Nothing: the tunnel was there, or what could be sent of its answer.
[[nodiscard]] async::Task<std::optional<Answer>> open_tunnel(Context& context,
                                                             const TunnelPlan& plan);

}  // namespace proxy
