// nginx's post_action: a request of the configuration's own when a client's is over, mostly to tell
// somebody of it. Its variables tell of the client's response: $status, $body_bytes_sent, ...
#pragma once

#include <string>
#include <tuple>

#include "async/task.h"
#include "config/directive.h"
#include "proxy/context.h"

namespace proxy {

struct PostActionOptions {
  config::Setting<std::string> target;  // a path or "@name"; empty: off
  auto settings(this auto& self) { return std::tie(self.target); }
};

extern const config::Feature kPostActionFeature;

[[nodiscard]] bool has_post_action(const Context& context) noexcept;

/// Behind the response, whether or not all of it was sent. The connection's next request waits.
[[nodiscard]] async::Task<void> run_post_action(Context& context);

}  // namespace proxy
