#include "proxy/ssi_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/regex.h"
#include "base/text.h"
#include "filter/ssi_text.h"
#include "http/path.h"
#include "proxy/subrequest.h"
#include "script/value.h"

namespace proxy {
namespace {

using base::Result;
using filter::SsiCommand;
using filter::SsiParser;
using http::Then;
using observe::Level;

// Texts and values that travel together.
constexpr std::size_t kGather = 16 * 1024;

constexpr std::string_view kDefaultTimeFormat = "%A, %d-%b-%Y %H:%M:%S %Z";

struct Known {
  std::string_view command;
  std::span<const std::string_view> parameters;
  std::string_view mandatory{};
  // elif, else and endif stand behind an `if`; the first two not behind an else.
  enum class Place : std::uint8_t { anywhere, in_if, in_if_or_else } place = Place::anywhere;
  bool ends_block = false;
};

constexpr std::string_view kInclude[] = {"virtual", "file", "wait", "set", "stub"};
constexpr std::string_view kEcho[] = {"var", "default", "encoding"};
constexpr std::string_view kConfig[] = {"errmsg", "timefmt"};
constexpr std::string_view kSet[] = {"var", "value"};
constexpr std::string_view kIf[] = {"expr"};
constexpr std::string_view kBlock[] = {"name"};

constexpr Known kCommands[] = {
    {.command = "include", .parameters = kInclude},
    {.command = "echo", .parameters = kEcho, .mandatory = "var"},
    {.command = "config", .parameters = kConfig},
    {.command = "set", .parameters = kSet, .mandatory = "value"},
    {.command = "if", .parameters = kIf, .mandatory = "expr"},
    {.command = "elif", .parameters = kIf, .mandatory = "expr", .place = Known::Place::in_if},
    {.command = "else", .parameters = {}, .place = Known::Place::in_if},
    {.command = "endif", .parameters = {}, .place = Known::Place::in_if_or_else},
    {.command = "block", .parameters = kBlock, .mandatory = "name"},
    {.command = "endblock", .parameters = {}, .ends_block = true},
};

const Known* find_command(std::string_view name) {
  const auto found = std::ranges::find(kCommands, name, &Known::command);
  return found != std::end(kCommands) ? &*found : nullptr;
}

// The end of a body that goes into a variable.
class Capture final : public http::BodySink {
 public:
  explicit Capture(std::size_t most) noexcept : most_(most) {}

  [[nodiscard]] async::Task<Result<void>> write(std::string_view piece, Then /*then*/,
                                                io::Patience /*patience*/) override {
    if (piece.size() > most_ - text.size()) {
      co_return base::fail(base::ErrorCode::too_large,
                           "too big subrequest response (subrequest_output_buffer_size)");
    }
    text += piece;
    co_return Result<void>{};
  }

  std::string text;

 private:
  std::size_t most_;
};

}  // namespace

class SsiFilter::Parameters {
 public:
  /// Nothing, with nginx's sentence in `why`, where they are not those of the command.
  static std::optional<Parameters> of(const SsiCommand& command, const Known& known,
                                      std::string& why) {
    for (std::size_t i = 0; i < command.parameters.size(); ++i) {
      const std::string& name = command.parameters[i].name;
      if (std::ranges::find(known.parameters, name) == known.parameters.end()) {
        why =
            fmt::format("invalid parameter name: \"{}\" in \"{}\" SSI command", name, command.name);
        return std::nullopt;
      }
      const auto before = std::span(command.parameters).first(i);
      if (std::ranges::find(before, name, &SsiCommand::Parameter::name) != before.end()) {
        why = fmt::format("duplicate \"{}\" parameter in \"{}\" SSI command", name, command.name);
        return std::nullopt;
      }
    }
    const Parameters made(command);
    const bool lacks_var = command.name == "set" && made.find("var") == nullptr;
    if (lacks_var || (!known.mandatory.empty() && made.find(known.mandatory) == nullptr)) {
      why = fmt::format("mandatory \"{}\" parameter is absent in \"{}\" SSI command",
                        lacks_var ? "var" : known.mandatory, command.name);
      return std::nullopt;
    }
    return made;
  }

  [[nodiscard]] const std::string* find(std::string_view name) const noexcept {
    const auto found = std::ranges::find(command_.parameters, name, &SsiCommand::Parameter::name);
    return found != command_.parameters.end() ? &found->value : nullptr;
  }

 private:
  explicit Parameters(const SsiCommand& command) noexcept : command_(command) {}
  const SsiCommand& command_;
};

SsiFilter::SsiFilter(Context& context, const filter::SsiPlan& plan)
    : context_(context),
      options_(*plan.options),
      variables_(*plan.variables),
      parser_(*options_.value_length),
      patience_(base::kNoDeadline, {}),
      error_text_("[an error occurred while processing the directive]"),
      time_format_(kDefaultTimeFormat) {
  Context* root = &context;
  while (root->parent != nullptr) root = root->parent;
  if (root->ssi == nullptr) root->ssi = std::make_shared<SsiState>();
  state_ = root->ssi;
}

void SsiFilter::complain(std::string_view sentence) { log(context_, Level::error, sentence); }

// --- the page

async::Task<Result<void>> SsiFilter::write(std::string_view piece, Then then,
                                           io::Patience patience) {
  patience_ = patience;
  CO_TRY_VOID(co_await process(piece));
  if (then == Then::end) CO_TRY_VOID(co_await pass_text(parser_.finish()));
  if (then == Then::more || (then == Then::flush && has_parts())) co_return Result<void>{};
  if (has_parts()) CO_TRY_VOID(co_await parts_->drain());
  const std::string last = std::exchange(out_, {});
  co_return co_await next().write(last, then, patience);
}

async::Task<Result<void>> SsiFilter::process(std::string_view piece) {
  while (true) {
    const SsiParser::Step step = parser_.next(piece);
    switch (step.kind) {
      case SsiParser::Step::Kind::more: co_return Result<void>{};
      case SsiParser::Step::Kind::text: CO_TRY_VOID(co_await pass_text(step.text)); break;
      case SsiParser::Step::Kind::error:
        complain(step.text);
        CO_TRY_VOID(co_await fail());
        break;
      case SsiParser::Step::Kind::command: CO_TRY_VOID(co_await run(parser_.command())); break;
    }
  }
}

async::Task<Result<void>> SsiFilter::put(std::string_view text) {
  if (text.empty()) co_return Result<void>{};
  if (has_parts()) {
    CO_TRY(const bool taken, co_await parts_->append(text));
    if (taken) co_return Result<void>{};
  }
  if (out_.size() + text.size() >= kGather) {
    CO_TRY_VOID(co_await flush());
    if (text.size() >= kGather) co_return co_await next().write(text, Then::more, patience_);
  }
  out_ += text;
  co_return Result<void>{};
}

async::Task<Result<void>> SsiFilter::flush() {
  if (out_.empty()) co_return Result<void>{};
  const std::string text = std::exchange(out_, {});
  co_return co_await next().write(text, Then::more, patience_);
}

async::Task<Result<void>> SsiFilter::pass_text(std::string_view text) {
  if (place_.output) co_return co_await put(text);
  if (place_.in_block && !keep_in_block(text)) co_return co_await fail();
  co_return Result<void>{};
}

async::Task<Result<void>> SsiFilter::fail() {
  if (*options_.silent_errors) co_return Result<void>{};
  co_return co_await put(error_text_);
}

bool SsiFilter::take(std::size_t bytes) {
  if (state_->take(bytes)) return true;
  context_.count(observe::Counter::limit_ssi_size);
  complain("the SSI variables and blocks of one page take more than 1 MB");
  return false;
}

bool SsiFilter::keep_in_block(std::string_view text) {
  if (!take(text.size())) return false;
  state_->blocks[place_.block] += text;
  return true;
}

async::Task<Result<void>> SsiFilter::run(const SsiCommand& command) {
  const Known* known = find_command(command.name);
  if (known == nullptr) {
    if (!place_.output) co_return Result<void>{};
    complain(fmt::format("invalid SSI command: \"{}\"", command.name));
    co_return co_await fail();
  }
  const bool conditional = known->place != Known::Place::anywhere;
  if (!place_.output && !known->ends_block) {
    if (place_.in_block) {
      if (!keep_in_block(command.text())) co_return co_await fail();
      co_return Result<void>{};
    }
    if (!conditional) co_return Result<void>{};
  }
  const bool misplaced =
      conditional &&
      (place_.conditional == Conditional::none ||
       (place_.conditional == Conditional::after_else && known->place == Known::Place::in_if));
  if (misplaced) {
    complain(fmt::format("invalid context of SSI command: \"{}\"", command.name));
    co_return co_await fail();
  }
  std::string why;
  const auto parameters = Parameters::of(command, *known, why);
  if (!parameters) {
    complain(why);
    co_return co_await fail();
  }
  if (command.name == "include") co_return co_await include(*parameters);
  const Text text = run_short(command, *parameters);
  if (text) co_return co_await put(*text);
  co_return co_await fail();
}

// --- commands that need nobody else

SsiFilter::Text SsiFilter::run_short(const SsiCommand& command, const Parameters& parameters) {
  if (command.name == "echo") return echo(parameters);
  if (command.name == "set") {
    auto value = expand(*parameters.find("value"));
    if (!value || !set(*parameters.find("var"), *std::move(value))) return std::nullopt;
  } else if (command.name == "config") {
    if (const auto* text = parameters.find("errmsg")) error_text_ = *text;
    if (const auto* format = parameters.find("timefmt")) time_format_ = *format;
  } else if (command.name == "if" || command.name == "elif") {
    if (!choose(command, parameters)) return std::nullopt;
  } else if (command.name == "else") {
    place_.output = !place_.chosen;
    place_.conditional = Conditional::after_else;
  } else if (command.name == "endif") {
    place_.output = true;
    place_.chosen = false;
    place_.conditional = Conditional::none;
  } else if (command.name == "block") {
    const std::string& name = *parameters.find("name");
    if (!state_->blocks.contains(name) && !take(SsiState::kEntry + name.size())) {
      return std::nullopt;
    }
    place_.block = name;
    state_->blocks[name].clear();
    place_.output = false;
    place_.in_block = true;
  } else if (command.name == "endblock") {
    place_.output = true;
    place_.in_block = false;
  }
  return std::string();
}

SsiFilter::Text SsiFilter::echo(const Parameters& parameters) {
  const auto value = variable(base::lower(*parameters.find("var")));
  const std::string* otherwise = parameters.find("default");
  std::string text(value ? *value : otherwise != nullptr ? *otherwise : "(none)");
  if (text.empty()) return text;
  if (const std::string* encoding = parameters.find("encoding")) {  // it holds from now on
    if (*encoding == "none") {
      encoding_ = Encoding::none;
    } else if (*encoding == "url") {
      encoding_ = Encoding::url;
    } else if (*encoding == "entity") {
      encoding_ = Encoding::entity;
    } else {
      complain(fmt::format("unknown encoding \"{}\" in the \"echo\" command", *encoding));
    }
  }
  switch (encoding_) {
    case Encoding::none: break;
    case Encoding::url: return filter::escape_for_url(text);
    case Encoding::entity: return filter::escape_entities(text);
  }
  return text;
}

bool SsiFilter::set(std::string_view name, std::string value) {
  const std::string lowered = base::lower(name);
  const std::size_t entry = state_->variables.contains(lowered) ? 0 : SsiState::kEntry;
  if (!take(entry + lowered.size() + value.size())) return false;
  state_->variables[lowered] = std::move(value);
  return true;
}

// `if` and `elif`.
bool SsiFilter::choose(const SsiCommand& command, const Parameters& parameters) {
  if (command.name == "if" && place_.conditional != Conditional::none) {
    complain("the \"if\" command inside the \"if\" command");
    return false;
  }
  if (place_.chosen) {
    place_.output = false;
    return true;
  }
  const auto holds = test(*parameters.find("expr"));
  if (!holds) return false;
  place_.output = *holds;
  place_.chosen = *holds;
  place_.conditional = Conditional::after_if;
  return true;
}

std::optional<bool> SsiFilter::test(std::string_view expression) {
  const auto condition = filter::parse_ssi_condition(expression);
  if (!condition) {
    complain(fmt::format("invalid expression in \"{}\"", expression));
    return std::nullopt;
  }
  const auto left = expand(condition->left);
  if (!left) return std::nullopt;
  if (!condition->right) return !left->empty();
  const auto right = expand(*condition->right);
  if (!right) return std::nullopt;
  if (!condition->is_regex) return (*left == *right) != condition->negative;
  const auto matched = match(*left, *right);
  if (!matched) return std::nullopt;
  return *matched != condition->negative;
}

std::optional<bool> SsiFilter::match(const std::string& text, const std::string& pattern) {
  const auto regex = base::Regex::compile(pattern, base::Regex::Case::sensitive);
  if (!regex) {
    complain(fmt::format("{} in the regular expression \"{}\" of an SSI command",
                         regex.error().message, pattern));
    return std::nullopt;
  }
  base::Captures captures;
  std::string subject = text;
  const auto matched = regex->match(subject, &captures);
  if (!matched) {
    context_.count(observe::Counter::limit_regex_steps);
    complain(fmt::format("matching \"{}\" of an SSI command took too many steps", pattern));
    return std::nullopt;
  }
  if (!*matched) return false;
  state_->matched = std::move(subject);
  // Views of a string that was moved may be of its old place.
  CHECK(regex->match(state_->matched, &state_->captures).value_or(false));
  for (const base::Regex::NamedGroup& group : regex->named_groups()) {
    if (!set(group.name, std::string(state_->captures[group.index]))) return std::nullopt;
  }
  return true;
}

// --- variables

std::optional<std::string_view> SsiFilter::variable(std::string_view name) {
  if (name.size() == 1 && name.front() >= '0' && name.front() <= '9') {
    const auto group = static_cast<std::size_t>(name.front() - '0');
    if (group < state_->captures.count) return state_->captures[group];
  }
  const auto own = state_->variables.find(name);
  if (own != state_->variables.end()) return own->second;
  if (name == "date_local" || name == "date_gmt") return date(name == "date_local");
  const auto found = variables_.find_used_or_built_in(name);
  if (!found) return std::nullopt;
  context_.take_time();
  const std::size_t used = context_.exchange.arena.used();
  script::Subject subject(context_.exchange);
  const auto variable = script::Piece::variable(std::string(name), *found);
  const auto value = variable.evaluate(subject);
  // A page may name a variable any number of times, and each may take as much as a client sends.
  if (!take(context_.exchange.arena.used() - used)) return std::nullopt;
  return value;
}

std::optional<std::string_view> SsiFilter::date(bool local) {
  const auto now = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(
          context_.worker.loop.wall()));
  if (time_format_ == "%s") {
    date_text_ = std::to_string(now);
    return date_text_;
  }
  std::tm parts{};
  if (local) {
    ::localtime_r(&now, &parts);
  } else {
    ::gmtime_r(&now, &parts);
  }
  std::array<char, 2048> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), time_format_.c_str(), &parts);
  if (size == 0) return std::nullopt;
  date_text_.assign(text.data(), size);
  return date_text_;
}

std::optional<std::string> SsiFilter::expand(std::string_view text) {
  auto expanded =
      filter::expand_ssi(text, [this](std::string_view name) { return variable(name); });
  if (expanded) return *std::move(expanded);
  complain(fmt::format("{}: \"{}\"", expanded.error().context, text));
  return std::nullopt;
}

// --- include

async::Task<Result<void>> SsiFilter::include(const Parameters& parameters) {
  CO_TRY(const bool done, co_await include_text(parameters));
  if (!done) co_return co_await fail();
  co_return Result<void>{};
}

// False: it failed, and the log was told.
async::Task<Result<bool>> SsiFilter::include_text(const Parameters& parameters) {
  const std::string* path = parameters.find("virtual");
  const std::string* file = parameters.find("file");
  const std::string* waits = parameters.find("wait");
  const std::string* into = parameters.find("set");
  const std::string* stub = parameters.find("stub");
  const std::string* source = path != nullptr ? path : file;
  if (source == nullptr) {
    complain("no parameter in \"include\" SSI command");
    co_return false;
  }
  std::string_view wrong;
  if (path != nullptr && file != nullptr) {
    wrong = "inclusion may be either virtual or file";
  } else if (into != nullptr && stub != nullptr) {
    wrong = "\"set\" and \"stub\" cannot be used together in \"include\" SSI command";
  } else if (waits != nullptr && path == nullptr) {
    wrong = "\"wait\" cannot be used with file";
  } else if (waits != nullptr && !base::equal_ignoring_case(*waits, "yes") &&
             !base::equal_ignoring_case(*waits, "no")) {
    wrong = "invalid value in the \"wait\" parameter";
  } else if (stub != nullptr && !state_->blocks.contains(*stub)) {
    wrong = "the \"stub\" of an \"include\" was not found";
  }
  if (!wrong.empty()) {
    complain(wrong);
    co_return false;
  }
  const auto expanded = expand(*source);
  if (!expanded) co_return false;
  exchange::Exchange& exchange = context_.exchange;
  const std::string_view folder =
      expanded->starts_with('/') ? "" : exchange.uri.substr(0, exchange.uri.rfind('/') + 1);
  std::string_view target = exchange.arena.join(folder, *expanded);
  const std::string_view raw = base::split_first(target, '?');
  const auto canonical =
      http::canonical_path(raw, exchange.encoded_slash, http::MergeSlashes::yes, exchange.arena);
  if (!canonical) {
    complain(fmt::format("unsafe URI \"{}\" in an SSI include: {}", raw,
                         http::explain(canonical.error())));
    co_return false;
  }
  if (!take_subrequest(context_, *canonical)) co_return false;
  if (into != nullptr) {
    Capture capture(*options_.included_size);
    const auto part = std::make_unique<Subrequest>(
        context_, Subrequest::What{.path = *canonical, .args = target, .of_page = true}, &capture);
    co_await part->run();
    if (const auto done = part->outcome(); !done) complain(base::describe(done.error()));
    if (part->exchange().response.status >= 300 || !part->is_whole()) co_return true;
    co_return set(*into, std::move(capture.text));
  }
  CO_TRY_VOID(co_await flush());
  if (stub == nullptr && may_start()) {
    // While parts run, they alone write: a head that is still to be sent would be in their way.
    if (!context_.direct.head_sent()) {
      CO_TRY_VOID(co_await next().write({}, Then::flush, patience_));
    }
    start(*canonical, target);
    if (waits != nullptr && base::equal_ignoring_case(*waits, "yes")) {
      CO_TRY_VOID(co_await parts_->wait_for_last());
    }
    co_return true;
  }
  if (has_parts()) CO_TRY_VOID(co_await parts_->drain());
  const auto part =
      std::make_unique<Subrequest>(context_,
                                   Subrequest::What{.path = *canonical,
                                                    .args = target,
                                                    .of_page = true,
                                                    .leaves_error_pages = stub != nullptr},
                                   &next());
  co_await part->run();
  CO_TRY_VOID(part->outcome());
  if (stub == nullptr || part->has_output()) co_return true;
  CO_TRY_VOID(co_await write_stub(*stub));
  co_return true;
}

bool SsiFilter::may_start() const noexcept {
  return context_.scope != nullptr && (parts_ == nullptr || parts_->has_room());
}

void SsiFilter::start(std::string_view path, std::string_view args) {
  if (parts_ == nullptr) {
    parts_ = std::make_shared<PartQueue>(context_, next());
    context_.parts.push_back(parts_);
  }
  parts_->start({.path = path, .args = args, .of_page = true});
}

// A block may have commands, an include with itself as a stub among them.
async::Task<Result<void>> SsiFilter::write_stub(const std::string& block) {
  constexpr unsigned kMaxStubs = 8;
  if (stubs_ == kMaxStubs) {
    complain(fmt::format("the stub \"{}\" stands in itself", block));
    co_return co_await fail();
  }
  ++stubs_;
  const std::string text = state_->blocks[block];
  const Place outside = std::exchange(place_, {});
  auto parser = std::exchange(parser_, SsiParser(*options_.value_length));
  auto written = co_await process(text);
  if (written) written = co_await pass_text(parser_.finish());
  parser_ = std::move(parser);
  place_ = outside;
  --stubs_;
  co_return written;
}

}  // namespace proxy
