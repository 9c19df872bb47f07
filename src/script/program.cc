#include "script/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "config/values.h"
#include "http/path.h"

namespace script {
namespace {

using exchange::Exchange;

// nginx's test: whether the path came with escapes, so that its captures need them again.
bool has_escapes(const Exchange& exchange) noexcept {
  return exchange.request.raw_path.find_first_of("%+") != std::string_view::npos;
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// nginx's ngx_unescape_uri(NGX_UNESCAPE_REDIRECT): in the part before the query, escapes of
// characters that need none in a URL are undone, all others stay. A broken escape is left out.
std::string_view unescape_redirect(std::string_view url, base::Arena& arena) {
  if (url.find('%') == std::string_view::npos) return url;
  const std::span<char> room = arena.make_array<char>(url.size());
  std::size_t made = 0;
  const auto put = [&](std::string_view text) {
    std::ranges::copy(text, room.subspan(made).begin());
    made += text.size();
  };
  while (!url.empty()) {
    if (url.front() == '?') break;
    if (url.front() != '%') {
      put(url.substr(0, 1));
      url.remove_prefix(1);
      continue;
    }
    const std::string_view escape = url.substr(0, 3);
    const int high = escape.size() == 3 ? hex_digit(escape[1]) : -1;
    const int low = escape.size() == 3 ? hex_digit(escape[2]) : -1;
    if (high < 0 || low < 0) {
      url.remove_prefix(1);
      continue;
    }
    url.remove_prefix(3);
    const char byte = static_cast<char>(high * 16 + low);
    if (byte > '%' && byte < 0x7f) {
      put(std::string_view(&byte, 1));
      if (byte == '?') break;
    } else {
      put(escape);
    }
  }
  put(url);
  return {room.data(), made};
}

}  // namespace

class Program::Run {
 public:
  Run(Subject& subject, Host& host)
      : subject_(subject), exchange_(*subject.exchange), host_(host) {}

  Outcome run(const std::vector<Statement>& statements) {
    all(statements);
    if (outcome_.kind == Outcome::Kind::next && relocate_) outcome_.kind = Outcome::Kind::relocate;
    return outcome_;
  }

 private:
  // False: no statement after it runs.
  bool all(const std::vector<Statement>& statements) {
    return std::ranges::all_of(statements, [&](const Statement& statement) {
      settings_ = statement.settings;
      const bool goes_on =
          std::visit([this](const auto& what) { return execute(what); }, statement.what);
      if (!subject_.failed) return goes_on;
      outcome_ = {.kind = Outcome::Kind::failed};
      return false;
    });
  }

  bool execute(const Set& set) {
    const std::string_view value = evaluate(set.value);
    switch (set.target) {
      case Set::Target::slot: subject_.slots[set.slot] = value; break;
      case Set::Target::args:
        exchange_.args = value;
        exchange_.uri_changed = true;
        break;
      case Set::Target::limit_rate: set_limit_rate(value); break;
    }
    return true;
  }

  void set_limit_rate(std::string_view value) {
    const auto rate = config::parse_size(value);
    if (rate) {
      exchange_.limit_rate = *rate;
    } else {
      host_.fail(subject_.arena.join("invalid $limit_rate \"", value, "\""));
    }
  }

  bool execute(const Break& /*none*/) {
    if (std::exchange(relocate_, false)) exchange_.path_is_routed = false;
    return false;
  }

  bool execute(const Return& what) {
    note_unset(what.text);
    outcome_ = {.kind = Outcome::Kind::answer, .returned = &what};
    return false;
  }

  bool execute(const If& what) {
    const auto holds = test(what.condition);
    if (!holds) return false;
    if (*holds == what.condition.negative) return true;
    if (what.level != nullptr) host_.enter(*what.level);
    return all(what.body.statements_);
  }

  bool execute(const Rewrite& rewrite) {
    const std::string_view before = exchange_.uri;
    const auto matched = match(rewrite.pattern, before, before);
    if (!matched) return false;
    if (!*matched) return true;
    const bool redirects = rewrite.status != 0;
    std::string_view path = evaluate(rewrite.path, redirects);
    std::string_view args = exchange_.args;
    if (rewrite.args) {
      const std::string_view own = evaluate(*rewrite.args, true);
      const bool both = rewrite.keeps_args && !args.empty();
      args = both ? exchange_.arena.join(own, "&", args) : own;
    } else if (!rewrite.keeps_args) {
      args = {};
    }
    return redirects ? redirect(rewrite, path, args) : replace(rewrite, path, args);
  }

  bool redirect(const Rewrite& rewrite, std::string_view url, std::string_view args) {
    url = unescape_redirect(url, exchange_.arena);
    const bool asks = rewrite.args.has_value() || !args.empty();
    if (asks) url = exchange_.arena.join(url, "?", args);
    trace("rewritten redirect: \"", url, "\"");
    outcome_ = {.kind = Outcome::Kind::redirect, .status = rewrite.status, .location = url};
    return false;
  }

  bool replace(const Rewrite& rewrite, std::string_view path, std::string_view args) {
    trace("rewritten data: \"", path, "\", args: \"", args, "\"");
    if (path.empty()) return fail("the rewritten URI has a zero length");
    exchange_.uri = path;
    exchange_.args = args;
    exchange_.uri_changed = true;
    exchange_.internal = true;
    relocate_ = !rewrite.stays;
    if (rewrite.stays) exchange_.path_is_routed = false;
    return !rewrite.ends;
  }

  // Nothing: the program has failed.
  std::optional<bool> test(const Condition& condition) {
    struct Test {
      Run& run;
      std::optional<bool> operator()(const Condition::Truth& test) {
        const std::string_view text = run.evaluate(test.value);
        return !text.empty() && text != "0";
      }
      std::optional<bool> operator()(const Condition::Equality& test) {
        const std::string_view left = run.evaluate(test.left);
        return left == run.evaluate(test.right);
      }
      std::optional<bool> operator()(const Condition::Match& test) {
        const std::string_view text = run.evaluate(test.text);
        return run.match(test.pattern, text, text);
      }
      std::optional<bool> operator()(const Condition::File& test) {
        return run.host_.test_file(test.test, run.evaluate(test.path));
      }
    };
    return std::visit(Test{*this}, condition.test);
  }

  std::optional<bool> match(const Pattern& pattern, std::string_view text, std::string_view shown) {
    const auto matched = pattern.match(text, subject_);
    if (!matched) {
      const bool steps = matched.error().is(base::ErrorCode::exhausted);
      using Kind = exchange::EvaluationFailure::Kind;
      subject_.fail(steps ? Kind::regex_steps : Kind::regex,
                    subject_.arena.join("the regular expression \"", pattern.regex().pattern(),
                                        "\" ", steps ? "reached its step limit" : "failed"));
      return std::nullopt;
    }
    if (!*matched) subject_.captures.count = 0;  // as in nginx: $1 is empty from here on
    trace("\"", pattern.regex().pattern(), *matched ? "\" matches \"" : "\" does not match \"",
          shown, "\"");
    return *matched;
  }

  std::string_view evaluate(const Value& value, bool in_url = false) {
    note_unset(value);
    const bool escapes = in_url && value.uses_captures() && has_escapes(exchange_);
    if (!escapes) return value.evaluate(subject_);
    const auto pieces = value.pieces();
    const auto views = subject_.arena.make_array<std::string_view>(pieces.size());
    std::size_t size = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const std::string_view text = pieces[i].evaluate(subject_).value_or(std::string_view{});
      views[i] =
          pieces[i].kind() == Piece::Kind::capture ? http::escape_args(text, subject_.arena) : text;
      size += views[i].size();
    }
    if (size > Value::kMaxSize) {
      subject_.fail(exchange::EvaluationFailure::Kind::too_long,
                    "a value of a rewrite directive is longer than 1 MB");
      return {};
    }
    return subject_.arena.concat(views);
  }

  void note_unset(const Value& value) {
    if (!settings_.warn) return;
    for (const Piece& piece : value.pieces()) {
      if (piece.kind() == Piece::Kind::slot && !piece.evaluate(subject_)) {
        host_.warn(subject_.arena.join("using uninitialized \"", piece.text(), "\" variable"));
      }
    }
  }

  template <class... Parts>
  void trace(const Parts&... parts) {
    if (settings_.log || host_.traces())
      host_.trace(subject_.arena.join(std::string_view(parts)...));
  }

  bool fail(std::string_view why) {
    host_.fail(why);
    outcome_ = {.kind = Outcome::Kind::failed};
    return false;
  }

  Subject& subject_;
  Exchange& exchange_;
  Host& host_;
  ProgramSettings settings_;
  Outcome outcome_;
  bool relocate_ = false;
};

Program::Program() = default;
Program::~Program() = default;
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;

void Program::add(Statement statement) { statements_.push_back(std::move(statement)); }

Outcome Program::run(Subject& subject, Host& host) const {
  return Run(subject, host).run(statements_);
}

}  // namespace script
