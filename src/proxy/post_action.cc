#include "proxy/post_action.h"

#include <memory>

#include "config/setters.h"
#include "proxy/subrequest.h"

namespace proxy {
namespace {

void set_target(config::Binding& binding) {
  const std::string& target = binding.argument(0);
  binding.options<PostActionOptions>().target.set(target == "off" ? std::string() : target,
                                                  binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "post_action",
     .contexts = config::kHttpServerLocation | config::Context::if_in_location,
     .syntax = "PATH | @NAME | off",
     .default_text = "off",
     .documentation = "Asks PATH when a request is over; the answer is dropped.",
     .set = set_target},
};

}  // namespace

const config::Feature kPostActionFeature{"post_action", kDirectives,
                                         config::inherit_options<PostActionOptions>};

bool has_post_action(const Context& context) noexcept {
  return context.parent == nullptr && !context.level->get<PostActionOptions>().target->empty();
}

async::Task<void> run_post_action(Context& context) {
  const std::string& target = *context.level->get<PostActionOptions>().target;
  if (context.recorder != nullptr || !take_subrequest(context, target)) co_return;
  const auto action = std::make_unique<Subrequest>(
      context, Subrequest::What{
                   .path = target, .is_copy = true, .head_only = true, .tells_of_parent = true});
  co_await action->run();
}

}  // namespace proxy
