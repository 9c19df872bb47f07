#include "proxy/mirror.h"

#include <algorithm>

#include "config/setters.h"
#include "proxy/hold_body.h"
#include "proxy/request_body.h"

namespace proxy {
namespace {

using config::Binding;

// nginx: "off" stands alone.
void add_mirror(Binding& binding) {
  auto& paths = binding.options<MirrorOptions>().paths;
  const bool off = binding.argument(0) == "off";
  const bool was_off = paths.is_set && paths->front().empty();
  if (paths.is_set && (off || was_off)) {
    return binding.error_at(0, "\"mirror off\" stands beside another mirror",
                            "keep either \"off\" or the paths");
  }
  paths.append(off ? std::string() : binding.argument(0), binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "mirror",
     .contexts = config::kHttpServerLocation,
     .repeat = config::Repeat::repeatable,
     .syntax = "PATH | off",
     .default_text = "off",
     .documentation = "Sends a copy of each request to PATH; the copy's answer is dropped.",
     .set = add_mirror},
    {.name = "mirror_request_body",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether copies have the request's body, which is then received whole first.",
     .set = config::set_flag<&MirrorOptions::request_body>},
};

}  // namespace

const config::Feature kMirrorFeature{"mirror", kDirectives, config::inherit_options<MirrorOptions>};

void Mirrors::start(Context& parent, std::string_view path) {
  copies_.push_back(std::make_unique<Subrequest>(
      parent, Subrequest::What{.path = path, .is_copy = true, .head_only = true}));
  scope_.spawn(copies_.back()->run());
}

bool has_mirrors(const Context& context) noexcept {
  const auto& paths = *context.level->get<MirrorOptions>().paths;
  return context.parent == nullptr && !paths.empty() && !paths.front().empty();
}

async::Task<std::optional<Answer>> start_mirrors(Context& context) {
  const auto& options = context.level->get<MirrorOptions>();
  if (context.recorder != nullptr) {
    for (const std::string& path : *options.paths) context.tell(Recorder::Step::mirror, path);
    co_return std::nullopt;
  }
  if (*options.request_body && context.held == nullptr && !context.body_refused &&
      context.exchange.request.body.has_body()) {
    const ClientOptions& client = context.client_options();
    context.body.set_limits(*client.max_body_size, context.body_pace());
    // What another location has let through already, or this one does not let through, is not
    // copied; whoever makes the response judges it.
    if (context.body.touched() || context.body.is_too_large(*client.max_body_size)) {
      co_return std::nullopt;
    }
    if (auto answer = co_await hold_body(context)) co_return answer;
  }
  if (context.mirrors == nullptr) {
    context.mirrors = std::make_shared<Mirrors>(co_await async::current_scope());
  }
  for (const std::string& path : *options.paths) {
    if (take_subrequest(context, path)) context.mirrors->start(context, path);
  }
  co_return std::nullopt;
}

async::Task<void> finish_mirrors(Context& context) { co_await context.mirrors->join(); }

}  // namespace proxy
