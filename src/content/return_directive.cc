#include "content/return_directive.h"

#include <array>
#include <charconv>

#include "base/text.h"

namespace content {
namespace {

using config::Binding;
using config::Context;

bool is_redirect_status(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

void set_return(Binding& binding) {
  auto& options = binding.options<ReturnOptions>();
  if (options.is_set) return;  // the first one decides, as in nginx
  const std::string& first = binding.argument(0);
  const auto status = base::parse_number<unsigned>(first);
  if (!status) {
    if (binding.count() == 2) {
      return binding.error_at(0, "invalid return code \"" + first + "\"", "a number, 0 to 999");
    }
    const bool is_url = first.starts_with("http://") || first.starts_with("https://") ||
                        first.starts_with("$scheme");
    if (!is_url) {
      return binding.error_at(0, "invalid return code \"" + first + "\"",
                              "a code, or a URL that begins with http://, https:// or $scheme");
    }
    options = {.is_set = true, .status = 302, .is_redirect = true, .text = binding.word(0)};
    return;
  }
  if (*status > 999) {
    return binding.error_at(0, "invalid return code \"" + first + "\"", "a number, 0 to 999");
  }
  options.is_set = true;
  options.status = *status;
  if (binding.count() < 2) return;
  options.is_redirect = is_redirect_status(*status);
  options.has_text = !options.is_redirect;
  options.text = binding.word(1);
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "return", .contexts = Context::server | Context::location,
     .arguments = config::takes(1, 2), .repeat = config::Repeat::repeatable,
     .syntax = "CODE [TEXT] | CODE URL | URL",
     .documentation = "Answers at once: with a status, a text, a redirect; 444 closes without a word.",
     .set = set_return},
};

}  // namespace

const config::Feature kReturnFeature{"return", kDirectives, nullptr};

void provision_return(config::Level& level, script::Variables& variables,
                      config::Diagnostics& diagnostics) {
  const auto* options = level.find<ReturnOptions>();
  if (options == nullptr || !options->is_set) return;
  auto& plan = level.options<ReturnPlan>();
  plan.status = options->status;
  plan.is_redirect = options->is_redirect;
  plan.has_text = options->has_text;
  plan.text = script::Value::compile(options->text, variables, diagnostics);
}

std::string_view absolute_location(std::string_view location, exchange::Exchange& exchange) {
  if (!location.starts_with('/')) return location;
  const std::string_view host = exchange.host();
  if (host.empty()) return location;
  const bool tls = exchange.connection.tls;
  const std::uint16_t port = exchange.connection.local.port();
  std::array<char, 8> digits{};
  std::string_view shown;
  if (port != 0 && port != (tls ? 443 : 80)) {
    digits[0] = ':';
    const auto end = std::to_chars(digits.begin() + 1, digits.end(), port).ptr;
    shown = std::string_view(digits.begin(), end);
  }
  return exchange.arena.join(tls ? "https://" : "http://", host, shown, location);
}

}  // namespace content
