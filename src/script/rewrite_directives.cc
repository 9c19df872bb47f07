#include "script/rewrite_directives.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "config/setters.h"
#include "http/characters.h"

namespace script {
namespace {

using config::Binding;
using config::Context;
using config::Word;

constexpr config::ContextSet kBlocks =
    Context::server | Context::location | Context::if_in_server | Context::if_in_location;

void add(Binding& binding, RewriteOptions::Entry entry) {
  binding.options<RewriteOptions>().entries.push_back(std::move(entry));
}

// --- return

constexpr std::string_view kCodes =
    "a status of 200 to 999, or a URL that begins with http://, https:// or $scheme";

bool is_redirect_status(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://") || text.starts_with("$scheme");
}

void refuse_code(const Binding& binding, std::string_view hint) {
  binding.error_at(0, fmt::format("invalid return code \"{}\"", binding.argument(0)),
                   std::string(hint));
}

void set_return(Binding& binding) {
  const std::string& first = binding.argument(0);
  const auto status = base::parse_number<unsigned>(first);
  if (!status) {
    if (binding.count() != 1 || !is_url(first)) return refuse_code(binding, kCodes);
    return add(binding,
               ReturnAsWritten{.status = 302, .is_redirect = true, .text = binding.word(0)});
  }
  if (*status > 999) return refuse_code(binding, kCodes);
  if (*status < 200) {
    return refuse_code(binding,
                       "1xx announce another response, which would never come (RFC 9110 §15.2), "
                       "and smaller ones do not exist: 200 to 999");
  }
  ReturnAsWritten made{.status = *status, .text = {}};
  made.is_redirect = is_redirect_status(*status);  // without a URL its Location is empty
  if (binding.count() == 2) made.text = binding.word(1);
  // nginx takes an empty text of an error for none, and shows the error's page; what is no error is
  // a response as it stands, with or without a text.
  made.has_text = !made.is_redirect && (*status < 400 || !made.text.text.empty());
  add(binding, std::move(made));
}

// --- set, break, rewrite

void set_set(Binding& binding) {
  if (!binding.argument(0).starts_with('$')) {
    return binding.error_at(0, fmt::format("invalid variable name \"{}\"", binding.argument(0)),
                            "set $NAME VALUE;");
  }
  add(binding, SetAsWritten{.name = binding.word(0), .value = binding.word(1)});
}

void set_break(Binding& binding) { add(binding, Break{}); }

void set_rewrite(Binding& binding) {
  using Flag = RewriteAsWritten::Flag;
  static constexpr config::Choice<Flag> kFlags[] = {{"last", Flag::last},
                                                    {"break", Flag::stop},
                                                    {"redirect", Flag::redirect},
                                                    {"permanent", Flag::permanent}};
  RewriteAsWritten made{.pattern = binding.word(0), .replacement = binding.word(1)};
  if (made.replacement.text.empty())
    return binding.error_at(1, "empty replacement", "a path or a URL");
  if (is_url(made.replacement.text)) made.flag = Flag::redirect;
  if (binding.count() == 3) {
    const auto* known = std::ranges::find(kFlags, binding.argument(2), &config::Choice<Flag>::word);
    if (known == std::end(kFlags)) {
      return binding.error_at(2, fmt::format("invalid parameter \"{}\"", binding.argument(2)),
                              "one of: last break redirect permanent");
    }
    const bool ends_anyway = known->value == Flag::last || known->value == Flag::stop;
    if (made.flag != Flag::redirect || !ends_anyway) made.flag = known->value;
  }
  add(binding, std::move(made));
}

// --- if

constexpr config::Choice<FileTest> kFileTests[] = {{"-f", FileTest::file},
                                                   {"-d", FileTest::directory},
                                                   {"-e", FileTest::exists},
                                                   {"-x", FileTest::executable}};

// The words between the parentheses; nothing: they are not there.
std::optional<std::vector<Word>> inside(const Binding& binding) {
  std::vector<Word> words(binding.directive.arguments);
  if (!words.front().text.starts_with('(')) return std::nullopt;
  words.front().text.erase(0, 1);
  ++words.front().at.column;
  if (words.front().text.empty()) words.erase(words.begin());
  if (words.empty() || !words.back().text.ends_with(')')) return std::nullopt;
  words.back().text.pop_back();
  if (words.back().text.empty()) words.pop_back();
  if (words.empty()) return std::nullopt;
  return words;
}

std::optional<ConditionAsWritten> of_variable(const std::vector<Word>& words) {
  using Kind = ConditionAsWritten::Kind;
  ConditionAsWritten made{.left = words[0], .right = {}};
  if (words.size() == 1) return made;
  if (words.size() != 3) return std::nullopt;
  std::string_view sign = words[1].text;
  made.negative = sign.starts_with('!');
  if (made.negative) sign.remove_prefix(1);
  if (sign == "=") {
    made.kind = Kind::equality;
  } else if (sign == "~") {
    made.kind = Kind::match;
  } else if (sign == "~*") {
    made.kind = Kind::match_ignoring_case;
  } else {
    return std::nullopt;
  }
  made.right = words[2];
  return made;
}

std::optional<ConditionAsWritten> of_file(const std::vector<Word>& words) {
  if (words.size() != 2) return std::nullopt;
  std::string_view sign = words[0].text;
  ConditionAsWritten made{.kind = ConditionAsWritten::Kind::file, .left = {}, .right = words[1]};
  made.negative = sign.starts_with('!');
  if (made.negative) sign.remove_prefix(1);
  const auto* known = std::ranges::find(kFileTests, sign, &config::Choice<FileTest>::word);
  if (known == std::end(kFileTests)) return std::nullopt;
  made.file_test = known->value;
  return made;
}

template <Context>
void open_if(Binding& binding) {
  const auto words = inside(binding);
  std::optional<ConditionAsWritten> condition;
  if (words) {
    const std::string& first = words->front().text;
    condition = first.size() > 1 && first.starts_with('$') ? of_variable(*words) : of_file(*words);
  }
  if (!condition) {
    return binding.error(
        "invalid condition",
        "one of: ($X)  ($X = TEXT)  ($X != TEXT)  ($X ~ REGEX), with ~* !~ !~* likewise, and "
        "(-f FILE), with -d -e -x !-f !-d !-e !-x likewise");
  }
  binding.level.parent()->options<RewriteOptions>().entries.emplace_back(
      IfAsWritten{.condition = *std::move(condition), .level = &binding.level});
}

constexpr std::string_view kIfSyntax =
    "($VARIABLE [OPERATOR TEXT]) { ... }  |  (-f | -d | -e | -x FILE) { ... }";

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "set",
     .contexts = kBlocks,
     .arguments = config::takes(2),
     .repeat = config::Repeat::repeatable,
     .syntax = "$VARIABLE VALUE",
     .documentation = "Gives a variable a value, for this request.",
     .set = set_set},
    {.name = "rewrite",
     .contexts = kBlocks,
     .arguments = config::takes(2, 3),
     .repeat = config::Repeat::repeatable,
     .syntax = "REGEX REPLACEMENT [last | break | redirect | permanent]",
     .documentation = "Changes the path of requests that match, or redirects their client.",
     .set = set_rewrite},
    {.name = "if",
     .contexts = Context::server,
     .arguments = config::takes_at_least(1),
     .block = config::opens(Context::if_in_server),
     .repeat = config::Repeat::repeatable,
     .syntax = kIfSyntax,
     .documentation = "Runs the rewrite directives of the block where the condition holds.",
     .set = open_if<Context::if_in_server>},
    {.name = "if",
     .contexts = Context::location,
     .arguments = config::takes_at_least(1),
     .block = config::opens(Context::if_in_location),
     .repeat = config::Repeat::repeatable,
     .syntax = kIfSyntax,
     .documentation = "Runs the rewrite directives of the block where the condition holds, and "
                      "then has its other settings, too.",
     .set = open_if<Context::if_in_location>},
    {.name = "break",
     .contexts = kBlocks,
     .arguments = config::takes(0),
     .repeat = config::Repeat::repeatable,
     .syntax = "",
     .documentation = "Ends the rewrite directives of the block, and of the one around an if.",
     .set = set_break},
    {.name = "return",
     .contexts = kBlocks,
     .arguments = config::takes(1, 2),
     .repeat = config::Repeat::repeatable,
     .syntax = "CODE [TEXT] | CODE URL | URL",
     .documentation =
         "Answers at once: with a status, a text, a redirect; 444 closes without a word.",
     .set = set_return},
    {.name = "rewrite_log",
     .contexts = config::kHttpServerLocation | Context::if_in_server | Context::if_in_location,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether each step of rewriting is written to the error log, at \"notice\".",
     .set = config::set_flag<&RewriteSettings::log>},
    {.name = "uninitialized_variable_warn",
     .contexts = config::kHttpServerLocation | Context::if_in_server | Context::if_in_location,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether the use of a variable that nothing has set is logged.",
     .set = config::set_flag<&RewriteSettings::warn>},
};

// --- compiling

class Compiler {
 public:
  Compiler(Variables& variables, config::Diagnostics& diagnostics)
      : variables_(variables), diagnostics_(diagnostics) {}

  Program program(const config::Level& level) {
    Program made;
    const auto* options = level.find<RewriteOptions>();
    if (options == nullptr) return made;
    const auto& inherited = level.get<RewriteSettings>();
    const ProgramSettings settings{.log = *inherited.log, .warn = *inherited.warn};
    for (const RewriteOptions::Entry& entry : options->entries) {
      std::visit(
          [&](const auto& written) {
            if (auto what = compile(written)) made.add({settings, *std::move(what)});
          },
          entry);
    }
    return made;
  }

 private:
  Value value(const Word& word) { return Value::compile(word, variables_, diagnostics_); }

  std::optional<Pattern> pattern(const Word& word, bool ignore_case) {
    return Pattern::compile(
        word.text, ignore_case ? base::Regex::Case::insensitive : base::Regex::Case::sensitive,
        word.at, variables_, diagnostics_);
  }

  std::optional<Break> compile(const Break& written) { return written; }

  std::optional<Set> compile(const SetAsWritten& written) {
    const std::string_view name = std::string_view(written.name.text).substr(1);
    Set made{.value = value(written.value)};
    if (base::equal_ignoring_case(name, "args")) {
      made.target = Set::Target::args;
    } else if (base::equal_ignoring_case(name, "limit_rate")) {
      made.target = Set::Target::limit_rate;
    } else if (const auto slot = variables_.declare(name, written.name.at, diagnostics_)) {
      made.slot = *slot;
    } else {
      return std::nullopt;
    }
    return made;
  }

  std::optional<Return> compile(const ReturnAsWritten& written) {
    Return made{.status = written.status,
                .is_redirect = written.is_redirect,
                .has_text = written.has_text,
                .text = value(written.text)};
    if (written.is_redirect) check_url(made.text, written.text, "return");
    return made;
  }

  std::optional<Rewrite> compile(const RewriteAsWritten& written) {
    using Flag = RewriteAsWritten::Flag;
    auto regex = pattern(written.pattern, false);
    if (!regex) return std::nullopt;
    Rewrite made{.pattern = *std::move(regex), .path = {}, .args = std::nullopt};
    Word path = written.replacement;
    if (path.text.ends_with('?')) {
      path.text.pop_back();
      made.keeps_args = false;
    }
    if (const auto question = path.text.find('?'); question != std::string::npos) {
      Word args = path;
      args.text.erase(0, question + 1);
      args.at.column += static_cast<std::uint32_t>(question + 1);
      made.args = value(args);
      path.text.erase(question);
    }
    made.path = value(path);
    made.ends = written.flag != Flag::none;
    made.stays = written.flag == Flag::stop;
    if (written.flag == Flag::redirect) made.status = 302;
    if (written.flag == Flag::permanent) made.status = 301;
    if (made.status != 0) check_url(made.path, written.replacement, "rewrite");
    return made;
  }

  std::optional<If> compile(const IfAsWritten& written) {
    auto made = condition(written.condition);
    if (!made) return std::nullopt;
    const bool has_settings = written.level->context() == Context::if_in_location;
    return If{.condition = *std::move(made),
              .level = has_settings ? written.level : nullptr,
              .body = program(*written.level)};
  }

  std::optional<Condition> condition(const ConditionAsWritten& written) {
    using Kind = ConditionAsWritten::Kind;
    Condition made{.test = Condition::Truth{}, .negative = written.negative};
    switch (written.kind) {
      case Kind::truth: made.test = Condition::Truth{value(written.left)}; return made;
      case Kind::equality:
        made.test = Condition::Equality{value(written.left), value(written.right)};
        return made;
      case Kind::file:
        made.test = Condition::File{written.file_test, value(written.right)};
        return made;
      case Kind::match:
      case Kind::match_ignoring_case: break;
    }
    auto regex = pattern(written.right, written.kind == Kind::match_ignoring_case);
    if (!regex) return std::nullopt;
    made.test = Condition::Match{value(written.left), *std::move(regex)};
    return made;
  }

  // It becomes the header Location, which is one line.
  void check_url(const Value& url, const Word& word, std::string_view directive) {
    const bool one_line = std::ranges::all_of(url.pieces(), [](const Piece& piece) {
      return piece.kind() != Piece::Kind::literal || http::is_field_value(piece.text());
    });
    if (one_line) return;
    diagnostics_.error(word.at, fmt::format("the URL of \"{}\" has a control character", directive),
                       "it becomes the header Location, which is one line");
  }

  Variables& variables_;
  config::Diagnostics& diagnostics_;
};

}  // namespace

const config::Feature kRewriteFeature{"rewrite", kDirectives,
                                      config::inherit_options<RewriteSettings>};

void provision_program(config::Level& level, Variables& variables,
                       config::Diagnostics& diagnostics) {
  Program made = Compiler(variables, diagnostics).program(level);
  if (!made.empty()) level.options<Program>() = std::move(made);
}

}  // namespace script
