#include "proxy/cookies.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"
#include "http/characters.h"

namespace proxy {
namespace {

using base::equal_ignoring_case;
using exchange::Exchange;

// Beyond this many parts a cookie is passed on as it is: no browser keeps one.
constexpr std::size_t kMaxParts = 64;

/// "name=value" or "Secure", without the blanks around; the cookie itself comes first.
struct Part {
  std::string_view name;
  std::optional<std::string_view> value{};
  bool removed = false;
};

std::string_view trim(std::string_view text) noexcept {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

Part read_part(std::string_view text) noexcept {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {.name = trim(text)};
  return {.name = trim(text.substr(0, equals)), .value = trim(text.substr(equals + 1))};
}

// In the arena, with room for three flags more; empty when there are too many.
std::span<Part> split(std::string_view text, base::Arena& arena, std::size_t& count) {
  const auto semicolons = static_cast<std::size_t>(std::ranges::count(text, ';'));
  if (semicolons >= kMaxParts) return {};
  const auto parts = arena.make_array<Part>(semicolons + 1 + 3);
  count = 0;
  for (std::string_view rest = text;;) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    parts[count++] = read_part(rest.substr(0, end));
    if (end == rest.size()) return parts;
    rest.remove_prefix(end + 1);
  }
}

// The first rule that matches gives the new value.
template <class Matches>
bool rewrite_value(const std::vector<CookiePlan::Rule>& rules, Exchange& exchange, Part& part,
                   Matches matches) {
  for (const CookiePlan::Rule& rule : rules) {
    if (rule.pattern) {
      if (!rule.pattern->match(*part.value, exchange.captures, exchange.named_captures)
               .value_or(false)) {
        continue;
      }
      part.value = rule.to.evaluate(exchange);
      return true;
    }
    if (const auto kept = matches(*part.value, rule.from.evaluate(exchange))) {
      part.value = exchange.arena.join(kept->before, rule.to.evaluate(exchange), kept->behind);
      return true;
    }
  }
  return false;
}

/// What of a value stays around its replacement.
struct Kept {
  std::string_view before;
  std::string_view behind;
};

// The whole domain, in any letter case; a dot in front of it stays.
std::optional<Kept> match_domain(std::string_view value, std::string_view from) noexcept {
  const std::string_view dot = value.substr(0, value.starts_with('.') ? 1 : 0);
  if (!equal_ignoring_case(value.substr(dot.size()), from)) return std::nullopt;
  return Kept{.before = dot, .behind = {}};
}

// A prefix of the path.
std::optional<Kept> match_path(std::string_view value, std::string_view from) noexcept {
  if (!value.starts_with(from)) return std::nullopt;
  return Kept{.before = {}, .behind = value.substr(from.size())};
}

struct Flag {
  std::string_view word;  // as the directive has it
  std::string_view name;  // of the attribute
  std::string_view value;
  bool add = true;
};

// Of those that contradict each other, the earlier one here counts, as in nginx.
constexpr std::array<Flag, 8> kFlags{{{"secure", "Secure", "", true},
                                      {"nosecure", "Secure", "", false},
                                      {"httponly", "HttpOnly", "", true},
                                      {"nohttponly", "HttpOnly", "", false},
                                      {"samesite=strict", "SameSite", "Strict", true},
                                      {"samesite=lax", "SameSite", "Lax", true},
                                      {"samesite=none", "SameSite", "None", true},
                                      {"nosamesite", "SameSite", "", false}}};

bool set_flag(const Flag& flag, std::span<Part> parts, std::size_t& count) {
  bool found = false;
  for (Part& part : parts.subspan(1, count - 1)) {
    if (part.removed || !equal_ignoring_case(part.name, flag.name)) continue;
    if (!flag.add) {
      part.removed = true;
      found = true;
    } else if (!found) {
      found = true;
      if (!flag.value.empty() && !equal_ignoring_case(part.value.value_or(""), flag.value)) {
        part = {.name = flag.name, .value = flag.value};
      }
    }
  }
  if (!flag.add || found) return found;
  parts[count] = {.name = flag.name};
  if (!flag.value.empty()) parts[count].value = flag.value;
  ++count;
  return true;
}

bool rewrite_flags(const CookiePlan& plan, Exchange& exchange, std::span<Part> parts,
                   std::size_t& count) {
  const std::string_view cookie = parts.front().name;
  const auto rule = std::ranges::find_if(plan.flags, [&](const CookiePlan::FlagRule& one) {
    if (!one.pattern) return equal_ignoring_case(cookie, one.name.evaluate(exchange));
    return one.pattern->match(cookie, exchange.captures, exchange.named_captures).value_or(false);
  });
  if (rule == plan.flags.end()) return false;
  std::array<bool, kFlags.size()> wanted{};
  for (const script::Value& value : rule->flags) {
    const std::string_view word = value.evaluate(exchange);
    const auto* const flag = std::ranges::find_if(
        kFlags, [&](const Flag& one) { return equal_ignoring_case(one.word, word); });
    if (flag != kFlags.end()) wanted[static_cast<std::size_t>(flag - kFlags.begin())] = true;
  }
  bool changed = false;
  std::string_view done;
  for (std::size_t i = 0; i < kFlags.size(); ++i) {
    if (!wanted[i] || kFlags[i].name == done) continue;
    done = kFlags[i].name;
    changed = set_flag(kFlags[i], parts, count) || changed;
  }
  return changed;
}

std::string_view join(std::span<const Part> parts, base::Arena& arena) {
  std::string_view text;
  for (const Part& part : parts) {
    if (part.removed) continue;
    const std::string_view separator = &part == &parts.front() ? "" : "; ";
    text = part.value ? arena.join(text, separator, part.name, "=", *part.value)
                      : arena.join(text, separator, part.name);
  }
  return text;
}

std::vector<CookiePlan::Rule> compile_rules(const std::vector<CookieRule>& rules,
                                            script::Variables& variables,
                                            config::Diagnostics& diagnostics) {
  std::vector<CookiePlan::Rule> compiled;
  for (const CookieRule& rule : rules) {
    if (rule.kind == CookieRule::Kind::off) return {};
    CookiePlan::Rule& one = compiled.emplace_back();
    if (rule.kind == CookieRule::Kind::regex) {
      one.pattern = script::Pattern::compile(
          rule.from.text,
          rule.ignore_case ? base::Regex::Case::insensitive : base::Regex::Case::sensitive,
          rule.from.at, variables, diagnostics);
    } else {
      one.from = script::Value::compile(rule.from, variables, diagnostics);
    }
    one.to = script::Value::compile(rule.to.front(), variables, diagnostics);
  }
  return compiled;
}

}  // namespace

CookiePlan plan_cookies(const ForwardOptions& options, script::Variables& variables,
                        config::Diagnostics& diagnostics) {
  CookiePlan plan;
  plan.domains = compile_rules(*options.cookie_domains, variables, diagnostics);
  plan.paths = compile_rules(*options.cookie_paths, variables, diagnostics);
  for (const CookieRule& rule : *options.cookie_flags) {
    if (rule.kind == CookieRule::Kind::off) {
      plan.flags.clear();
      break;
    }
    CookiePlan::FlagRule& one = plan.flags.emplace_back();
    if (rule.kind == CookieRule::Kind::regex) {
      one.pattern = script::Pattern::compile(rule.from.text, base::Regex::Case::insensitive,
                                             rule.from.at, variables, diagnostics);
    } else {
      one.name = script::Value::compile(rule.from, variables, diagnostics);
    }
    for (const config::Word& flag : rule.to) {
      one.flags.push_back(script::Value::compile(flag, variables, diagnostics));
    }
  }
  return plan;
}

std::string_view rewrite_cookie(const CookiePlan& plan, Exchange& exchange,
                                std::string_view value) {
  std::size_t count = 0;
  const std::span<Part> parts = split(value, exchange.arena, count);
  if (parts.empty() || !parts.front().value) return value;
  bool changed = false;
  for (Part& part : parts.subspan(1, count - 1)) {
    if (!part.value) continue;
    if (equal_ignoring_case(part.name, "domain")) {
      changed = rewrite_value(plan.domains, exchange, part, match_domain) || changed;
    } else if (equal_ignoring_case(part.name, "path")) {
      changed = rewrite_value(plan.paths, exchange, part, match_path) || changed;
    }
  }
  if (!plan.flags.empty()) changed = rewrite_flags(plan, exchange, parts, count) || changed;
  if (!changed) return value;
  const std::string_view text = join(parts.first(count), exchange.arena);
  // What variables bring must not end the field.
  return http::is_field_value(text) ? text : value;
}

}  // namespace proxy
