// proxy_cookie_domain, proxy_cookie_path, proxy_cookie_flags.
#include "config/setters.h"
#include "proxy/forward_options.h"

namespace proxy {
namespace {

using config::Binding;
using O = ForwardOptions;
using Rules = config::Setting<std::vector<CookieRule>>;

// What all three have in common: off, or FROM and what follows. `kAnyCase`: a regular expression
// has no mark for letter case, and never regards it.
template <Rules O::* kList, bool kAnyCase, bool kDots>
void add_rule(Binding& binding) {
  Rules& rules = binding.options<O>().*kList;
  const bool is_off = binding.count() == 1 && binding.argument(0) == "off";
  if (binding.count() == 1 && !is_off) {
    return binding.error_at(0, "invalid parameter \"" + binding.argument(0) + "\"",
                            "\"off\" stands alone; anything else needs what to put in its place");
  }
  const bool has_off = !rules->empty() && rules->front().kind == CookieRule::Kind::off;
  if (rules.is_set && (is_off || has_off)) {
    return binding.error("\"" + std::string(binding.name()) + "\" directive is duplicate",
                         "\"off\" stands alone in its block");
  }
  CookieRule rule;
  if (is_off) return rules.append(std::move(rule), binding.where());
  rule.kind = CookieRule::Kind::replace;
  rule.from = binding.word(0);
  for (std::size_t i = 1; i < binding.count(); ++i) rule.to.push_back(binding.word(i));
  if (rule.from.text.starts_with('~')) {
    rule.kind = CookieRule::Kind::regex;
    rule.ignore_case = kAnyCase || rule.from.text.starts_with("~*");
    rule.from.text.erase(0, !kAnyCase && rule.ignore_case ? 2 : 1);
  } else if (kDots) {
    if (rule.from.text.starts_with('.')) rule.from.text.erase(0, 1);
    if (rule.to.front().text.starts_with('.')) rule.to.front().text.erase(0, 1);
  }
  rules.append(std::move(rule), binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "proxy_cookie_domain",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes(1, 2),
     .repeat = config::Repeat::repeatable,
     .syntax = "off | DOMAIN REPLACEMENT",
     .default_text = "off",
     .documentation = "Replaces the domain of backends' cookies; DOMAIN may be a ~REGEX.",
     .set = add_rule<&O::cookie_domains, true, true>},
    {.name = "proxy_cookie_path",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes(1, 2),
     .repeat = config::Repeat::repeatable,
     .syntax = "off | PATH REPLACEMENT",
     .default_text = "off",
     .documentation =
         "Replaces the beginning of the path of backends' cookies; PATH may be a ~REGEX "
         "or ~*REGEX, for the whole.",
     .set = add_rule<&O::cookie_paths, false, false>},
    {.name = "proxy_cookie_flags",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes(1, 4),
     .repeat = config::Repeat::repeatable,
     .syntax = "off | COOKIE [secure | nosecure | httponly | nohttponly | samesite=MODE | "
               "nosamesite ...]",
     .default_text = "off",
     .documentation = "Adds attributes to backends' cookies, or takes them away; COOKIE may be a "
                      "~REGEX.",
     .set = add_rule<&O::cookie_flags, true, false>},
};

}  // namespace

const config::Feature kCookieFeature{"cookies", kDirectives, nullptr};

}  // namespace proxy
