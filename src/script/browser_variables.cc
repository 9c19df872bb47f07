// $ancient_browser, $modern_browser and $msie; and the directives that say which is which.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "config/setters.h"
#include "http/field_name.h"
#include "script/browser.h"
#include "script/getters.h"

namespace script {
namespace {

using config::Binding;
using exchange::Exchange;
using O = BrowserOptions;

void add_modern(Binding& binding) {
  auto& modern = binding.options<O>().modern;
  if (binding.count() == 1) {
    if (binding.argument(0) != "unlisted") {
      return binding.invalid(0, "unlisted, or a browser and its version");
    }
    modern.value.unlisted = true;
  } else {
    const auto browser = find_browser(binding.argument(0));
    if (!browser) {
      return binding.error_at(0, fmt::format("unknown browser name \"{}\"", binding.argument(0)),
                              "opera, msie, gecko, safari or konqueror");
    }
    const auto version = parse_browser_version(binding.argument(1));
    if (!version) {
      return binding.error_at(1, fmt::format("invalid browser version \"{}\"", binding.argument(1)),
                              "X, X.X, X.X.X or X.X.X.X");
    }
    modern.value.browsers.push_back({*browser, *version});
  }
  if (!modern.is_set) modern.where = binding.where();
  modern.is_set = true;
}

void add_ancient(Binding& binding) {
  auto& ancient = binding.options<O>().ancient;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    if (binding.argument(i) == "netscape4") {
      ancient.value.netscape4 = true;
    } else {
      ancient.value.words.push_back(binding.argument(i));
    }
  }
  if (!ancient.is_set) ancient.where = binding.where();
  ancient.is_set = true;
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "ancient_browser",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .repeat = config::Repeat::repeatable,
     .syntax = "TEXT...",
     .documentation = "Texts in User-Agent that make a browser an ancient one; netscape4 is a "
                      "pattern of its own.",
     .set = add_ancient},
    {.name = "ancient_browser_value",
     .contexts = config::kHttpServerLocation,
     .syntax = "TEXT",
     .default_text = "1",
     .documentation = "The value of $ancient_browser for an ancient browser.",
     .set = config::set_text<&O::ancient_value>},
    {.name = "modern_browser",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes(1, 2),
     .repeat = config::Repeat::repeatable,
     .syntax = "opera | msie | gecko | safari | konqueror VERSION, or unlisted",
     .documentation = "From which version on a browser is a modern one.",
     .set = add_modern},
    {.name = "modern_browser_value",
     .contexts = config::kHttpServerLocation,
     .syntax = "TEXT",
     .default_text = "1",
     .documentation = "The value of $modern_browser for a modern browser.",
     .set = config::set_text<&O::modern_value>},
};

const http::Field* user_agent(const Exchange& ex) noexcept {
  return ex.request.fields.find(http::FieldName::user_agent);
}

Text value_if(Exchange& ex, BrowserAge wanted) {
  const auto* options = ex.level != nullptr ? ex.level->find<BrowserOptions>() : nullptr;
  if (options == nullptr) return "";
  const http::Field* agent = user_agent(ex);
  const BrowserAge age =
      browser_age(*options, agent != nullptr ? std::optional(agent->value) : std::nullopt);
  if (age != wanted) return "";
  return age == BrowserAge::modern ? *options->modern_value : *options->ancient_value;
}

Text ancient_browser(Exchange& ex) { return value_if(ex, BrowserAge::ancient); }
Text modern_browser(Exchange& ex) { return value_if(ex, BrowserAge::modern); }
Text msie(Exchange& ex) {
  const http::Field* agent = user_agent(ex);
  return agent != nullptr && is_msie(agent->value) ? "1" : "";
}

constexpr VariableSpec kTable[] = {
    {.name = "ancient_browser",
     .get = of_exchange<ancient_browser>,
     .documentation = "ancient_browser_value for an ancient browser, else empty"},
    {.name = "modern_browser",
     .get = of_exchange<modern_browser>,
     .documentation = "modern_browser_value for a modern browser, else empty"},
    {.name = "msie",
     .get = of_exchange<msie>,
     .documentation = "\"1\" for any version of Internet Explorer, else empty"},
};

}  // namespace

const config::Feature kBrowserFeature{"browser", kDirectives,
                                      config::inherit_options<BrowserOptions>};

constinit const VariableTable kBrowserVariables = kTable;

}  // namespace script
