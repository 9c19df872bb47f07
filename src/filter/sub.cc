#include "filter/sub.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "filter/head_changes.h"

namespace filter {
namespace {

using config::Binding;
using http::Then;
using O = SubOptions;

constexpr std::size_t kMostPairs = 255;  // nginx's

void set_pair(Binding& binding) {
  auto& pairs = binding.options<O>().pairs;
  if (binding.argument(0).empty()) return binding.error_at(0, "empty search pattern");
  if (pairs.value.size() == kMostPairs) {
    return binding.error("number of search patterns exceeds 255");
  }
  pairs.append(SubPair{.pattern = binding.word(0), .text = binding.word(1)}, binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "sub_filter",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes(2),
     .repeat = config::Repeat::repeatable,
     .syntax = "TEXT REPLACEMENT",
     .documentation = "A text of the response, in any letter case, and what replaces it.",
     .set = set_pair},
    {.name = "sub_filter_types",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "TYPE ... | *",
     .default_text = "text/html",
     .documentation = "The types of responses that sub_filter changes besides text/html.",
     .set = set_types<&O::types>},
    {.name = "sub_filter_once",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether each text is replaced once, or wherever it stands.",
     .set = config::set_flag<&O::once>},
    {.name = "sub_filter_last_modified",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether Last-Modified stays in the response that was changed.",
     .set = config::set_flag<&O::last_modified>},
};

}  // namespace

const config::Feature kSubFeature{"sub", kDirectives, config::inherit_options<O>};

std::shared_ptr<const SubPlan> plan_sub(const config::Level& level, script::Variables& variables,
                                        config::Diagnostics& diagnostics) {
  const auto& options = level.get<SubOptions>();
  if (options.pairs->empty()) return nullptr;
  auto plan = std::make_shared<SubPlan>();
  plan->options = &options;
  std::vector<std::string_view> patterns;
  std::size_t bytes = 0;
  for (const SubPair& pair : *options.pairs) {
    plan->pairs.push_back({.pattern = script::Value::compile(pair.pattern, variables, diagnostics),
                           .text = script::Value::compile(pair.text, variables, diagnostics)});
    const script::Value& pattern = plan->pairs.back().pattern;
    if (!pattern.is_constant() || pattern.is_empty()) continue;
    patterns.push_back(pattern.constant());
    bytes += patterns.back().size();
  }
  if (bytes > PatternSet::kMaxBytes) {
    diagnostics.error(options.pairs->back().pattern.at, "search patterns are longer than 64k");
  } else if (patterns.size() == plan->pairs.size()) {
    // Views of vectors that grow would not last: the set keeps none.
    patterns.clear();
    for (const SubPlan::Pair& pair : plan->pairs) patterns.push_back(pair.pattern.constant());
    plan->patterns.emplace(patterns);
  }
  return plan;
}

bool is_for_sub(const SubPlan& plan, const exchange::Exchange& exchange) {
  return known_length(exchange) != 0 && plan.options->types->match(content_type_of(exchange).type);
}

bool start_sub(const SubPlan& plan, exchange::Exchange& exchange, BodyFilters& filters) {
  std::optional<PatternSet> own;
  std::vector<std::uint32_t> numbers(plan.pairs.size());
  std::iota(numbers.begin(), numbers.end(), 0U);
  if (!plan.patterns) {
    numbers.clear();
    script::Subject subject(exchange);
    std::vector<std::string_view> patterns;
    std::size_t bytes = 0;
    for (std::uint32_t i = 0; i < plan.pairs.size(); ++i) {
      const std::string_view pattern = plan.pairs[i].pattern.evaluate(subject);
      if (pattern.empty()) continue;
      patterns.push_back(pattern);
      numbers.push_back(i);
      bytes += pattern.size();
    }
    if (bytes > PatternSet::kMaxBytes) {
      subject.fail(exchange::EvaluationFailure::Kind::too_long, "the patterns of sub_filter");
    }
    if (subject.failed) return false;
    if (patterns.empty()) return true;
    own.emplace(patterns);
  }
  filters.push_back(
      std::make_unique<SubFilter>(plan, std::move(own), std::move(numbers), exchange));
  forget_length(exchange);
  if (*plan.options->last_modified) {
    weaken_etag(exchange);
  } else {
    forget_validators(exchange);
  }
  return true;
}

SubFilter::SubFilter(const SubPlan& plan, std::optional<PatternSet> own,
                     std::vector<std::uint32_t> numbers, exchange::Exchange& exchange)
    : plan_(plan),
      own_(std::move(own)),
      numbers_(std::move(numbers)),
      exchange_(exchange),
      texts_(plan.pairs.size()),
      substitution_(own_ ? *own_ : *plan.patterns,
                    *plan.options->once ? Substitution::Times::once : Substitution::Times::always,
                    [this](std::uint32_t number) { return text_for(number); }) {}

std::optional<std::string_view> SubFilter::text_for(std::uint32_t number) {
  const std::uint32_t pair = numbers_[number];
  auto& text = texts_[pair];
  if (!text) {
    script::Subject subject(exchange_);
    text = plan_.pairs[pair].text.evaluate(subject);
    if (subject.failed) text.reset();
  }
  return text;
}

async::Task<base::Result<void>> SubFilter::write(std::string_view piece, Then then,
                                                 io::Patience patience) {
  constexpr std::string_view kFailed = "the text of a sub_filter could not be evaluated";
  while (true) {
    const auto taken = substitution_.run(piece, out_);
    if (!taken) co_return base::fail(base::ErrorCode::invalid, kFailed);
    piece.remove_prefix(*taken);
    if (out_.size() < Substitution::kRoom) {
      if (!piece.empty()) continue;
      if (then != Then::end) break;
      const auto finished = substitution_.finish(out_);
      if (!finished) co_return base::fail(base::ErrorCode::invalid, kFailed);
      if (*finished) break;
    }
    CO_TRY_VOID(co_await next().write(out_, Then::more, patience));
    out_.clear();
  }
  if (out_.empty() && then == Then::more) co_return base::Result<void>{};
  const auto sent = co_await next().write(out_, then, patience);
  out_.clear();
  co_return sent;
}

}  // namespace filter
