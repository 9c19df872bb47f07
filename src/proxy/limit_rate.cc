#include "proxy/limit_rate.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "config/setters.h"
#include "config/values.h"
#include "io/socket.h"
#include "proxy/context.h"

namespace proxy {
namespace {

using config::Binding;
using config::Context;
using std::chrono::nanoseconds;

constexpr std::uint64_t kSecond = nanoseconds(std::chrono::seconds(1)).count();
// Rates and sizes beyond this are no limits, and their sums stay within 64 bits.
constexpr std::uint64_t kMost = std::uint64_t{1} << 50;

template <config::Setting<std::optional<config::Word>> LimitRateOptions::* kMember>
void set_rate(Binding& binding) {
  if (!check_rate(binding)) return;
  (binding.options<LimitRateOptions>().*kMember).set(binding.word(0), binding.where());
}

constexpr auto kContexts = config::kHttpServerLocation | Context::if_in_location;

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "limit_rate",
     .contexts = kContexts,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation =
         "Bytes per second of a response to a client, at most; 0 for no limit. May have "
         "variables in it.",
     .set = set_rate<&LimitRateOptions::rate>},
    {.name = "limit_rate_after",
     .contexts = kContexts,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "How much of a response is sent before limit_rate counts. May have variables "
                      "in it.",
     .set = set_rate<&LimitRateOptions::after>},
};

}  // namespace

const config::Feature kLimitRateFeature{"limit_rate", kDirectives,
                                        config::inherit_options<LimitRateOptions>};

RateLimit::RateLimit(std::uint64_t rate, std::uint64_t after, base::TimePoint start) noexcept
    : rate_(rate >= kMost ? 0 : rate), after_(std::min(after, kMost)), start_(start) {}

std::uint64_t RateLimit::budget(base::TimePoint now) const noexcept {
  const auto elapsed =
      static_cast<std::uint64_t>(std::max<nanoseconds::rep>(nanoseconds(now - start_).count(), 0));
  const std::uint64_t seconds = 1 + elapsed / kSecond;
  if (seconds >= kMost / rate_) return std::numeric_limits<std::uint64_t>::max();
  // The part of a second: exact for all rates that a product of 64 bits has room for.
  const std::uint64_t milliseconds = elapsed % kSecond / 1'000'000;
  return after_ + rate_ * seconds + rate_ / 1000 * milliseconds +
         rate_ % 1000 * milliseconds / 1000;
}

std::uint64_t RateLimit::allowance(base::TimePoint now, std::uint64_t wanted) const noexcept {
  if (rate_ == 0) return wanted;
  const std::uint64_t all = budget(now);
  const std::uint64_t left = all - std::min(all, moved_);
  if (left >= wanted) return wanted;
  // Pieces of a quarter of a second at least: a trickle of small ones costs more than it gives.
  return left >= std::max<std::uint64_t>(rate_ / 4, 1) ? left : 0;
}

base::TimePoint RateLimit::next(base::TimePoint now) const noexcept {
  const std::uint64_t all = budget(now);
  const std::uint64_t needed = moved_ + std::max<std::uint64_t>(rate_ / 4, 1);
  if (needed <= all) return now;
  const std::uint64_t missing = std::min(needed - all, kMost);
  const std::uint64_t milliseconds = missing / rate_ * 1000 + (missing % rate_ * 1000) / rate_ + 1;
  return now + std::chrono::milliseconds(milliseconds);
}

async::Task<base::Result<std::uint64_t>> take_turn(io::EventLoop& loop, const RateLimit& limit,
                                                   std::uint64_t wanted) {
  while (true) {
    const std::uint64_t count = limit.allowance(loop.now(), wanted);
    if (count > 0 || wanted == 0) co_return count;
    CO_TRY_VOID(co_await io::sleep_until(loop, limit.next(loop.now())));
  }
}

bool check_rate(const config::Binding& binding) {
  return script::has_variables(binding.argument(0)) || config::read_size(binding).has_value();
}

void provision_limit_rate(config::Level& level, script::Variables& variables,
                          config::Diagnostics& diagnostics) {
  const auto& options = level.get<LimitRateOptions>();
  if (!options.rate.is_set && !options.after.is_set) return;
  const config::Level* parent = level.parent();
  if (parent != nullptr && parent->find<LimitRatePlan>() != nullptr &&
      parent->find<LimitRateOptions>() == &options) {
    return level.share_from<LimitRatePlan>(*parent);
  }
  auto& plan = level.options<LimitRatePlan>();
  const auto compile = [&](const std::optional<config::Word>& word) {
    return word ? script::Value::compile(*word, variables, diagnostics) : script::Value();
  };
  plan.rate = compile(*options.rate);
  plan.after = compile(*options.after);
}

std::uint64_t size_of(const script::Value& value, exchange::Exchange& exchange) {
  return config::parse_size(value.evaluate(exchange)).value_or(0);
}

RateLimit response_rate(proxy::Context& context) {
  exchange::Exchange& exchange = context.exchange;
  const auto* plan = context.level->find<LimitRatePlan>();
  if (plan == nullptr && !exchange.limit_rate) return {};
  context.take_time();
  if (!exchange.limit_rate) exchange.limit_rate = size_of(plan->rate, exchange);
  if (*exchange.limit_rate == 0) return {};
  const std::uint64_t after = plan != nullptr ? size_of(plan->after, exchange) : 0;
  return {*exchange.limit_rate, after, context.now()};
}

}  // namespace proxy
