#include "script/map.h"

namespace script {

Map::Outcome Map::constant(std::string_view text) {
  outcomes_.push_back(
      {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(text.size())});
  text_ += text;
  return static_cast<Outcome>(outcomes_.size() - 1);
}

Map::Outcome Map::evaluated(Value value) {
  outcomes_.push_back({static_cast<std::uint32_t>(values_.size()), kEvaluated});
  values_.push_back(std::move(value));
  return static_cast<Outcome>(outcomes_.size() - 1);
}

std::optional<Map::Outcome> Map::find(std::string_view text, Subject& subject) const {
  if (const auto found = names_.find(text)) return *found;
  if (text.empty()) return default_;  // as in nginx, no regular expression sees it
  for (const Entry& entry : patterns_) {
    const auto matched = entry.pattern.match(text, subject);
    if (!matched) {
      const bool steps = matched.error().code == base::ErrorCode::exhausted;
      subject.fail(steps ? exchange::EvaluationFailure::Kind::regex_steps
                         : exchange::EvaluationFailure::Kind::regex,
                   subject.arena.join("the regular expression \"", entry.pattern.regex().pattern(),
                                      "\" of a map ", steps ? "reached its step limit" : "failed"));
      return std::nullopt;
    }
    if (*matched) return entry.outcome;
  }
  return default_;
}

std::optional<std::string_view> Map::compute(Subject& subject) const {
  std::string_view text = key_.evaluate(subject);
  if (subject.failed) return std::nullopt;
  if (host_names_ && text.ends_with('.')) text.remove_suffix(1);
  const auto outcome = find(text, subject);
  if (!outcome) return std::nullopt;
  const Constant& found = outcomes_[*outcome];
  if (found.size != kEvaluated) return std::string_view(text_).substr(found.start, found.size);
  const std::string_view value = values_[found.start].evaluate(subject);
  return subject.failed ? std::nullopt : std::optional(value);
}

}  // namespace script
