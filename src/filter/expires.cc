#include "filter/expires.h"

#include <array>
#include <charconv>
#include <ctime>
#include <string>

#include "config/setters.h"
#include "config/values.h"
#include "http/date.h"

namespace filter {
namespace {

using config::Binding;
using config::Context;
using http::FieldName;
using std::chrono::seconds;
using Kind = ExpiresRule::Kind;

void set_expires(Binding& binding) {
  ExpiresSetting setting;
  setting.modified = binding.count() == 2;
  if (setting.modified && binding.argument(0) != "modified") {
    return binding.error_at(0, "\"expires\" directive invalid value",
                            "two words are \"modified TIME\"");
  }
  const std::size_t last = binding.count() - 1;
  if (script::has_variables(binding.argument(last))) {
    setting.variable = binding.word(last);
  } else {
    const auto rule = parse_expires(binding.argument(last), setting.modified);
    if (!rule) {
      return binding.error_at(last, "\"expires\" directive " + std::string(rule.error()),
                              "a time (30d, -1, @15h30m), epoch, max or off");
    }
    setting.rule = *rule;
  }
  binding.options<ExpiresOptions>().expires.set(std::move(setting), binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "expires",
     .contexts = config::kHttpServerLocation | Context::if_in_location,
     .arguments = config::takes(1, 2),
     .syntax = "[modified] TIME | @TIME_OF_DAY | epoch | max | off",
     .default_text = "off",
     .documentation = "How long a response may be kept: sets Expires and Cache-Control.",
     .set = set_expires},
};

// The next time that the clock on the wall shows `of_day`.
seconds next_time(seconds now, seconds of_day) noexcept {
  const std::time_t current = now.count();
  std::tm local{};
  if (::localtime_r(&current, &local) == nullptr) return now;
  const auto at = [&](int days) {
    std::tm day = local;
    day.tm_mday += days;
    day.tm_hour = static_cast<int>(of_day.count() / 3600);
    day.tm_min = static_cast<int>(of_day.count() / 60 % 60);
    day.tm_sec = static_cast<int>(of_day.count() % 60);
    day.tm_isdst = -1;
    return ::mktime(&day);
  };
  const std::time_t today = at(0);
  return seconds(today > current ? today : at(1));
}

struct Texts {
  std::string_view expires;
  std::string_view cache_control;
};

std::string_view date_text(seconds time, base::Arena& arena) {
  return arena.copy(http::view(http::http_date(std::chrono::sys_seconds(time))));
}

Texts texts_of(const ExpiresRule& rule, exchange::Exchange& exchange) {
  if (rule.kind == Kind::epoch) return {"Thu, 01 Jan 1970 00:00:01 GMT", "no-cache"};
  if (rule.kind == Kind::max) return {"Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000"};
  const seconds now = std::chrono::floor<seconds>(exchange.now_wall).time_since_epoch();
  seconds at = now + rule.time;
  if (rule.kind == Kind::daily) {
    at = next_time(now, rule.time);
  } else if (rule.time.count() == 0) {
    return {date_text(now, exchange.arena), "max-age=0"};
  } else if (rule.kind == Kind::modified) {
    const auto modified =
        http::parse_http_date(exchange.response.fields.value(FieldName::last_modified));
    if (modified) at = modified->time_since_epoch() + rule.time;
  }
  const std::string_view date = date_text(at, exchange.arena);
  const seconds age = at - now;
  if (age.count() < 0 || rule.time.count() < 0) return {date, "no-cache"};
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), age.count()).ptr;
  return {date, exchange.arena.join("max-age=", std::string_view(digits.begin(), end))};
}

}  // namespace

const config::Feature kExpiresFeature{"expires", kDirectives,
                                      config::inherit_options<ExpiresOptions>};

std::expected<ExpiresRule, std::string_view> parse_expires(std::string_view text,
                                                           bool modified) noexcept {
  ExpiresRule rule{.kind = modified ? Kind::modified : Kind::access};
  if (!modified) {
    if (text == "epoch") return ExpiresRule{.kind = Kind::epoch};
    if (text == "max") return ExpiresRule{.kind = Kind::max};
    if (text == "off") return ExpiresRule{.kind = Kind::off};
  }
  bool negative = false;
  if (text.starts_with('@')) {
    if (modified) {
      return std::unexpected("daily time cannot be used with \"modified\" parameter");
    }
    rule.kind = Kind::daily;
    text.remove_prefix(1);
  } else if (text.starts_with('+') || text.starts_with('-')) {
    negative = text.starts_with('-');
    text.remove_prefix(1);
  }
  const auto time = config::parse_seconds(text);
  if (!time) return std::unexpected("invalid value");
  if (rule.kind == Kind::daily && *time > std::chrono::hours(24)) {
    return std::unexpected("daily time value must be less than 24 hours");
  }
  rule.time = negative ? -*time : *time;
  return rule;
}

void provision_expires(config::Level& level, script::Variables& variables,
                       config::Diagnostics& diagnostics) {
  const auto& options = level.get<ExpiresOptions>();
  const config::Level* parent = level.parent();
  if (parent != nullptr && parent->find<ExpiresPlan>() != nullptr &&
      parent->find<ExpiresOptions>() == &options) {
    return level.share_from<ExpiresPlan>(*parent);
  }
  auto& plan = level.options<ExpiresPlan>();
  plan.rule = options.expires->rule;
  plan.modified = options.expires->modified;
  if (options.expires->variable) {
    plan.value = script::Value::compile(*options.expires->variable, variables, diagnostics);
  }
}

bool apply_expires(const config::Level& level, exchange::Exchange& exchange) {
  const auto* plan = level.find<ExpiresPlan>();
  if (plan == nullptr) return true;
  ExpiresRule rule = plan->rule;
  if (plan->value) {
    const auto parsed = parse_expires(plan->value->evaluate(exchange), plan->modified);
    if (!parsed) return true;  // as nginx: no error of the response
    rule = *parsed;
  }
  if (rule.kind == Kind::off) return true;
  const Texts texts = texts_of(rule, exchange);
  http::Fields& fields = exchange.response.fields;
  return fields.set(FieldName::expires, texts.expires) &&
         fields.set(FieldName::cache_control, texts.cache_control);
}

}  // namespace filter
