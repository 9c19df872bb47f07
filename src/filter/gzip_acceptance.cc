#include "filter/gzip_acceptance.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "http/date.h"
#include "http/list.h"
#include "http/user_agent.h"

namespace filter {
namespace {

using config::Binding;
using config::Choice;
using http::FieldName;
using O = GzipAcceptanceOptions;

constexpr std::array<Choice<GzipProxied>, kGzipProxiedCount> kProxied{
    {{"off", GzipProxied::off},
     {"expired", GzipProxied::expired},
     {"no-cache", GzipProxied::no_cache},
     {"no-store", GzipProxied::no_store},
     {"private", GzipProxied::private_},
     {"no_last_modified", GzipProxied::no_last_modified},
     {"no_etag", GzipProxied::no_etag},
     {"auth", GzipProxied::auth},
     {"any", GzipProxied::any}}};
constexpr std::array<Choice<http::Version>, 2> kVersions{
    {{"1.0", http::Version::http_1_0}, {"1.1", http::Version::http_1_1}}};

void set_proxied(Binding& binding) {
  GzipProxiedSet set;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const auto word = config::read_choice<GzipProxied>(
        binding, i, std::span<const Choice<GzipProxied>>(kProxied));
    if (!word) return;
    const auto bit = static_cast<std::size_t>(*word);
    if (set.test(bit)) binding.warn_at(i, "duplicate value \"" + binding.argument(i) + "\"");
    set.set(bit);
  }
  binding.options<O>().proxied.set(set, binding.where());
}

void set_disabled(Binding& binding) {
  auto& options = binding.options<O>();
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const std::string& text = binding.argument(i);
    if (text == "msie6") {
      options.disabled_msie6.set(true, binding.where());
      continue;
    }
    auto regex = base::Regex::compile(text, base::Regex::Case::insensitive);
    if (!regex) {
      binding.error_at(i, "regular expression \"" + text + "\" is wrong: " + regex.error().message,
                       "it is matched against User-Agent");
      continue;
    }
    options.disabled.append(std::make_shared<const base::Regex>(*std::move(regex)),
                            binding.where());
  }
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "gzip_vary",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether \"Vary: Accept-Encoding\" is added where gzip, gunzip or "
                      "gzip_static may have changed the response.",
     .set = config::set_flag<&O::vary>},
    {.name = "gzip_http_version",
     .contexts = config::kHttpServerLocation,
     .syntax = "1.0 | 1.1",
     .default_text = "1.1",
     .documentation = "The lowest version of HTTP that a request must have to be sent gzip.",
     .set = config::set_enum<&O::http_version, kVersions>},
    {.name = "gzip_proxied",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "off | expired | no-cache | no-store | private | no_last_modified | no_etag | auth "
               "| any ...",
     .default_text = "off",
     .documentation = "Which requests that have come through a proxy (Via) are sent gzip.",
     .set = set_proxied},
    {.name = "gzip_disable",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .repeat = config::Repeat::repeatable,
     .syntax = "REGEX | msie6 ...",
     .documentation = "User-Agents that are not sent gzip.",
     .set = set_disabled},
};

bool is_disabled(const O& options, const http::Fields& request) {
  if (!*options.disabled_msie6 && options.disabled->empty()) return false;
  const std::string_view agent = request.value(FieldName::user_agent);
  if (agent.empty()) return false;
  if (*options.disabled_msie6 && http::is_msie6(agent)) return true;
  // One that can't be matched in time is not one of those.
  return std::ranges::any_of(*options.disabled, [&](const auto& regex) {
    return regex->match(agent, nullptr).value_or(false);
  });
}

bool cache_control_has(const http::Fields& response, std::string_view word) noexcept {
  return std::ranges::any_of(response, [&](const http::Field& field) {
    return field.id == FieldName::cache_control && http::list_has(field.value, word);
  });
}

// For a request that came through a proxy.
bool may_be_proxied(GzipProxiedSet words, const exchange::Exchange& exchange) {
  const auto has = [&](GzipProxied word) { return words.test(static_cast<std::size_t>(word)); };
  if (has(GzipProxied::off)) return false;
  if (has(GzipProxied::any)) return true;
  const http::Fields& response = exchange.response.fields;
  if (has(GzipProxied::auth) && exchange.request.fields.has(FieldName::authorization)) return true;
  if (const http::Field* expires = response.find(FieldName::expires)) {
    if (!has(GzipProxied::expired)) return false;
    const auto at = http::parse_http_date(expires->value);
    auto now = std::optional(std::chrono::floor<std::chrono::seconds>(exchange.now_wall));
    if (const http::Field* date = response.find(FieldName::date)) {
      now = http::parse_http_date(date->value);
    }
    return at && now && *at < *now;
  }
  if (response.has(FieldName::cache_control)) {
    return (has(GzipProxied::no_cache) && cache_control_has(response, "no-cache")) ||
           (has(GzipProxied::no_store) && cache_control_has(response, "no-store")) ||
           (has(GzipProxied::private_) && cache_control_has(response, "private"));
  }
  return !(has(GzipProxied::no_last_modified) && response.has(FieldName::last_modified)) &&
         !(has(GzipProxied::no_etag) && response.has(FieldName::etag));
}

// Behind "gzip": nothing, or ";q=" and a number of thousandths above zero.
bool has_weight(std::string_view rest) noexcept {
  const auto skip_spaces = [&] {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  };
  skip_spaces();
  if (rest.empty()) return true;
  if (rest.front() != ';') return false;
  rest.remove_prefix(1);
  skip_spaces();
  if (rest.empty()) return true;
  if (base::to_lower(rest.front()) != 'q' || rest.size() < 3 || rest[1] != '=') return false;
  rest = rest.substr(2, rest.find(' ', 2) - 2);
  if (rest == "1") return true;
  if (rest.size() < 2 || rest.size() > 5 || rest[1] != '.') return false;
  const std::string_view decimals = rest.substr(2);
  const bool zeros = decimals.find_first_not_of('0') == std::string_view::npos;
  if (rest[0] == '1') return zeros;
  return rest[0] == '0' && !zeros && std::ranges::all_of(decimals, base::is_digit);
}

}  // namespace

const config::Feature kGzipAcceptanceFeature{"gzip_acceptance", kDirectives,
                                             config::inherit_options<O>};

bool accepts_gzip(std::string_view accept_encoding) noexcept {
  constexpr std::string_view kGzip = "gzip";
  for (std::size_t at = 0; at + kGzip.size() <= accept_encoding.size(); ++at) {
    const bool begins = at == 0 || accept_encoding[at - 1] == ',' || accept_encoding[at - 1] == ' ';
    if (!begins || !base::starts_with_ignoring_case(accept_encoding.substr(at), kGzip)) continue;
    std::string_view rest = accept_encoding.substr(at + kGzip.size());
    return has_weight(base::split_first(rest, ','));
  }
  return false;
}

bool may_send_gzip(const GzipAcceptanceOptions& options, const exchange::Exchange& exchange) {
  if (exchange.main != nullptr) return false;  // a part of a page, which is compressed as a whole
  const http::RequestHead& request = exchange.request;
  const http::Field* accepted = request.fields.find(FieldName::accept_encoding);
  return accepted != nullptr && accepts_gzip(accepted->value) &&
         request.version >= *options.http_version &&
         (!request.fields.has(FieldName::via) || may_be_proxied(*options.proxied, exchange)) &&
         !is_disabled(options, request.fields);
}

}  // namespace filter
