#include "admission/limit_except.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"

namespace admission {
namespace {

using config::Binding;
using http::Method;

// Those that nginx knows here: without TRACE and CONNECT, which are always refused.
constexpr std::array kMethods{Method::get,     Method::head,     Method::post,      Method::put,
                              Method::del,     Method::mkcol,    Method::copy,      Method::move,
                              Method::options, Method::propfind, Method::proppatch, Method::lock,
                              Method::unlock,  Method::patch};

std::size_t bit(Method method) { return static_cast<std::size_t>(method); }

void open_block(Binding& binding) {
  auto& limit = binding.level.parent()->options<LimitExcept>();
  limit.level = &binding.level;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const auto known = std::ranges::find_if(kMethods, [&](Method method) {
      return base::equal_ignoring_case(http::text_of(method), binding.argument(i));
    });
    if (known == kMethods.end()) {
      binding.error_at(i, "invalid method \"" + binding.argument(i) + "\"");
      continue;
    }
    limit.methods.set(bit(*known));
    if (*known == Method::get) limit.methods.set(bit(Method::head));
  }
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "limit_except",
     .contexts = config::Context::location,
     .arguments = config::takes_at_least(1),
     .block = config::opens(config::Context::limit_except),
     .syntax = "METHOD...",
     .documentation = "Rules for all methods but these; GET stands for HEAD, too.",
     .set = open_block},
};

}  // namespace

const config::Feature kLimitExceptFeature{"limit_except", kDirectives, nullptr};

const config::Level& level_for(const config::Level& location, Method method) noexcept {
  const auto* limit = location.find<LimitExcept>();
  return limit == nullptr || limit->methods.test(bit(method)) ? location : *limit->level;
}

}  // namespace admission
