// nginx's mirror module: copies of requests for other backends, whose answers nobody gets.
//
// They run beside the request and end by themselves; the connection's next request waits for them,
// as in nginx, so that what a client can have running stays bounded.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "async/scope.h"
#include "async/task.h"
#include "config/directive.h"
#include "proxy/context.h"
#include "proxy/subrequest.h"

namespace proxy {

struct MirrorOptions {
  config::Setting<std::vector<std::string>> paths;  // one that is empty: off
  config::Setting<bool> request_body{true};
  auto settings(this auto& self) { return std::tie(self.paths, self.request_body); }
};

extern const config::Feature kMirrorFeature;

/// The copies of one request while they run.
class Mirrors {
 public:
  explicit Mirrors(async::Scope* parent) noexcept : scope_(parent) {}

  void start(Context& parent, std::string_view path);
  [[nodiscard]] async::Scope::Join join() noexcept { return scope_.join(); }

 private:
  async::Scope scope_;
  std::vector<std::unique_ptr<Subrequest>> copies_;
};

[[nodiscard]] bool has_mirrors(const Context& context) noexcept;

/// Starts the level's copies, once the request's body is held if they have it. An answer where the
/// body can't be had.
[[nodiscard]] async::Task<std::optional<Answer>> start_mirrors(Context& context);

/// Waits for those that were started.
[[nodiscard]] async::Task<void> finish_mirrors(Context& context);

}  // namespace proxy
