#include <utility>

#include "proxy/context.h"

namespace proxy {

std::optional<Answer> failed_evaluation(Context& context) {
  using Kind = exchange::EvaluationFailure::Kind;
  const auto failure = std::exchange(context.exchange.failure, {});
  if (failure.kind == Kind::none) return std::nullopt;
  if (failure.kind == Kind::regex_steps) context.count(observe::Counter::limit_regex_steps);
  log(context, observe::Level::error, failure.what);
  if (failure.kind == Kind::cycle) return std::nullopt;
  return Answer{.status = 500};
}

}  // namespace proxy
