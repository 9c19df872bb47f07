#include "script/referer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace script {
namespace {

using config::Word;

constexpr std::size_t kLongestHost = 256;

/// Nothing, and reported, where one came to no verdict.
std::optional<bool> any_matches(const std::vector<base::Regex>& patterns, std::string_view text,
                                Subject& subject) {
  for (const base::Regex& pattern : patterns) {
    const auto matched = pattern.match(text, nullptr);
    if (!matched) {
      const bool steps = matched.error().code == base::ErrorCode::exhausted;
      subject.fail(
          steps ? exchange::EvaluationFailure::Kind::regex_steps
                : exchange::EvaluationFailure::Kind::regex,
          subject.arena.join("the regular expression \"", pattern.pattern(),
                             "\" of valid_referers ", steps ? "reached its step limit" : "failed"));
      return std::nullopt;
    }
    if (*matched) return true;
  }
  return false;
}

void add_referers(config::Binding& binding) {
  for (const Word& word : binding.directive.arguments) {
    binding.options<RefererOptions>().valid.append(word, binding.where());
  }
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "valid_referers",
     .contexts = config::Context::server | config::Context::location,
     .arguments = config::takes_at_least(1),
     .repeat = config::Repeat::repeatable,
     .syntax = "none | blocked | server_names | HOST[/PATH] | ~REGEX ...",
     .documentation = "Pages that may lead here: for others $invalid_referer is \"1\".",
     .set = add_referers},
};

class Compiler {
 public:
  Compiler(Referers& referers, const ServerNames& names, config::Diagnostics& diagnostics)
      : referers_(referers), names_(names), diagnostics_(diagnostics) {}

  void compile(const config::Level& level, const RefererOptions& options);

 private:
  void add(const Word& word);
  void add_server_name(const Word& name);
  void add_host(std::string_view host, std::string_view path, config::Position at);
  [[nodiscard]] std::optional<base::Regex> regex(const Word& word) const;

  Referers& referers_;
  const ServerNames& names_;
  config::Diagnostics& diagnostics_;
  bool lenient_ = false;
  bool wants_server_names_ = false;
};

void Compiler::compile(const config::Level& level, const RefererOptions& options) {
  for (const Word& word : *options.valid) add(word);
  if (wants_server_names_) {
    for (const Word& name : names_(level)) add_server_name(name);
  }
  if (lenient_ && !referers_.has_names()) {
    diagnostics_.error(options.valid.where,
                       "the \"none\" or \"blocked\" referers are specified in the "
                       "\"valid_referers\" directive without any valid referer",
                       "name a host, or \"server_names\"");
  }
}

void Compiler::add(const Word& word) {
  const std::string_view text = word.text;
  if (text.empty()) return diagnostics_.error(word.at, "invalid referer \"\"");
  if (text == "none") {
    referers_.allow_none();
    lenient_ = true;
  } else if (text == "blocked") {
    referers_.allow_blocked();
    lenient_ = true;
  } else if (text == "server_names") {
    wants_server_names_ = true;
  } else if (text == "~") {
    diagnostics_.error(word.at, "empty regex in \"~\"");
  } else if (text.starts_with('~')) {
    if (auto pattern = regex(word)) referers_.add_pattern(*std::move(pattern));
  } else {
    const std::size_t slash = std::min(text.find('/'), text.size());
    add_host(text.substr(0, slash), text.substr(slash), word.at);
  }
}

void Compiler::add_server_name(const Word& name) {
  if (!name.text.starts_with('~')) return add_host(name.text, {}, name.at);
  // A malformed one is reported where the server is named.
  auto pattern =
      base::Regex::compile(std::string_view(name.text).substr(1), base::Regex::Case::insensitive);
  if (pattern) referers_.add_host_pattern(*std::move(pattern));
}

void Compiler::add_host(std::string_view host, std::string_view path, config::Position at) {
  switch (referers_.add(host, path)) {
    case NameHash::Added::ok: break;
    case NameHash::Added::duplicate:
      diagnostics_.error(at, fmt::format("conflicting parameter \"{}\"", host),
                         "the host stands there already");
      break;
    case NameHash::Added::invalid:
      diagnostics_.error(at, fmt::format("invalid hostname or wildcard \"{}\"", host),
                         "a star may stand for the first label or the last one");
      break;
  }
}

std::optional<base::Regex> Compiler::regex(const Word& word) const {
  const std::string_view expression = std::string_view(word.text).substr(1);
  auto compiled = base::Regex::compile(expression, base::Regex::Case::insensitive);
  if (compiled) return *std::move(compiled);
  diagnostics_.error(word.at, fmt::format("pcre2_compile() failed: {} in \"{}\"",
                                          compiled.error().message, expression));
  return std::nullopt;
}

/// Without "http://" or "https://"; nothing where there is neither, as where a firewall has
/// replaced it.
std::optional<std::string_view> without_scheme(std::string_view referer) {
  constexpr std::string_view kShortest = "http://i.ru";
  if (referer.size() < kShortest.size()) return std::nullopt;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (base::starts_with_ignoring_case(referer, scheme)) return referer.substr(scheme.size());
  }
  return std::nullopt;
}

}  // namespace

const config::Feature kRefererFeature{"referer", kDirectives,
                                      config::inherit_options<RefererOptions>};

NameHash::Added Referers::add(std::string_view host, std::string_view path) {
  const NameHash::Added added = hosts_.add(host, static_cast<std::uint32_t>(paths_.size()));
  paths_.emplace_back(path);
  return added;
}

std::optional<std::string_view> Referers::invalid(Subject& subject) const {
  constexpr std::string_view kValid;
  constexpr std::string_view kInvalid = "1";
  if (!checks()) return kValid;
  const http::Field* field = subject.exchange->request.fields.find(http::FieldName::referer);
  if (field == nullptr) return none_ ? kValid : kInvalid;
  const auto place = without_scheme(field->value);
  if (!place) return blocked_ ? kValid : kInvalid;
  const std::string_view host = place->substr(0, place->find_first_of("/:"));
  if (host.size() > kLongestHost) return kInvalid;
  if (const auto found = hosts_.find(host)) {
    const std::string_view path = place->substr(std::min(place->find('/'), place->size()));
    return path.starts_with(paths_[*found]) ? kValid : kInvalid;
  }
  const auto by_host = any_matches(host_patterns_, host, subject);
  if (!by_host) return std::nullopt;
  if (*by_host) return kValid;
  const auto matched = any_matches(patterns_, *place, subject);
  if (!matched) return std::nullopt;
  return *matched ? kValid : kInvalid;
}

std::optional<std::string_view> InvalidReferer::compute(Subject& subject) const {
  if (subject.exchange == nullptr || subject.exchange->level == nullptr) return "";
  const auto* referers = subject.exchange->level->find<Referers>();
  return referers != nullptr ? referers->invalid(subject) : "";
}

void provision_referers(config::Level& level, const ServerNames& names,
                        config::Diagnostics& diagnostics) {
  const auto* options = level.find<RefererOptions>();
  if (options == nullptr || !options->valid.is_set) return;
  const config::Level* parent = level.parent();
  const bool inherited = parent != nullptr && parent->find<Referers>() != nullptr &&
                         parent->find<RefererOptions>() == options;
  if (inherited) return level.share_from<Referers>(*parent);
  Compiler(level.options<Referers>(), names, diagnostics).compile(level, *options);
}

}  // namespace script
