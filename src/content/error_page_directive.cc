#include "content/error_page_directive.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "config/setters.h"

namespace content {
namespace {

using config::Binding;
using config::Context;

// nginx's own codes for what a client gets as 400.
bool is_shown_as_400(unsigned status) noexcept { return status >= 494 && status <= 497; }

// "=", "=200"; nothing, and reported, for anything else.
std::optional<unsigned> read_response(const Binding& binding, std::size_t i) {
  const std::string_view digits = std::string_view(binding.argument(i)).substr(1);
  if (digits.empty()) return 0;
  const auto status = base::parse_number<unsigned>(digits);
  if (status && *status <= 999) return status;
  binding.error_at(i, fmt::format("invalid value \"{}\"", binding.argument(i)),
                   "=STATUS, or = alone for the status that the page gives");
  return std::nullopt;
}

void add_error_page(Binding& binding) {
  std::size_t codes = binding.count() - 1;
  std::optional<unsigned> shown;
  if (binding.argument(codes - 1).starts_with('=')) {
    --codes;
    shown = read_response(binding, codes);
    if (!shown) return;
    if (codes == 0) {
      return binding.error("invalid number of arguments in \"error_page\" directive",
                           "error_page CODE... [=[RESPONSE]] URI;");
    }
  }
  for (std::size_t i = 0; i < codes; ++i) {
    const auto status = base::parse_number<unsigned>(binding.argument(i));
    if (!status || *status == 499) {
      binding.error_at(i, fmt::format("invalid value \"{}\"", binding.argument(i)),
                       "a status of 300 to 599, but not 499: its client has gone");
      continue;
    }
    if (*status < 300 || *status > 599) {
      binding.error_at(
          i, fmt::format("value \"{}\" must be between 300 and 599", binding.argument(i)));
      continue;
    }
    ErrorPageSetting page{
        .status = *status, .shown = shown, .target = binding.word(binding.count() - 1)};
    if (!page.shown && is_shown_as_400(*status)) page.shown = 400;
    binding.options<ErrorPageOptions>().pages.append(std::move(page), binding.where());
  }
}

constexpr config::ContextSet kEverywhere = config::kHttpServerLocation | Context::if_in_location;

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "error_page",
     .contexts = kEverywhere,
     .arguments = config::takes_at_least(2),
     .repeat = config::Repeat::repeatable,
     .syntax = "CODE... [=[RESPONSE]] URI",
     .documentation = "What is shown in place of errors: another resource, a named location, a "
                      "redirect.",
     .set = add_error_page},
    {.name = "recursive_error_pages",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether error_page also holds for what error_page shows.",
     .set = config::set_flag<&ErrorPageOptions::recursive>},
};

}  // namespace

const config::Feature kErrorPageFeature{"error_page", kDirectives,
                                        config::inherit_options<ErrorPageOptions>};

const ErrorPagePlan::Page* ErrorPagePlan::find(unsigned status) const noexcept {
  const auto found = std::ranges::find(pages, status, &Page::status);
  return found == pages.end() ? nullptr : &*found;
}

void provision_error_pages(config::Level& level, script::Variables& variables,
                           config::Diagnostics& diagnostics) {
  const auto& options = level.get<ErrorPageOptions>();
  const config::Level* outer = level.parent();
  if (outer != nullptr && outer->find<ErrorPageOptions>() == &options) {
    if (outer->find<ErrorPagePlan>() != nullptr) level.share_from<ErrorPagePlan>(*outer);
    return;
  }
  if (options.pages->empty()) return;
  auto& plan = level.options<ErrorPagePlan>();
  plan.recursive = *options.recursive;
  for (const ErrorPageSetting& page : *options.pages) {
    plan.pages.push_back(
        {page.status, page.shown, script::Value::compile(page.target, variables, diagnostics)});
  }
}

}  // namespace content
