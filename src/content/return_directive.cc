#include "content/return_directive.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "base/text.h"
#include "http/characters.h"

namespace content {
namespace {

using config::Binding;
using config::Context;

bool is_redirect_status(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

constexpr std::string_view kCodes =
    "a status of 200 to 999, or a URL that begins with http://, https:// or $scheme";

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://") || text.starts_with("$scheme");
}

void refuse_code(const Binding& binding, std::string_view hint) {
  binding.error_at(0, "invalid return code \"" + binding.argument(0) + "\"", std::string(hint));
}

// Reports what is wrong and gives nothing.
std::optional<ReturnOptions> read_return(const Binding& binding) {
  const std::string& first = binding.argument(0);
  const auto status = base::parse_number<unsigned>(first);
  if (!status) {
    if (binding.count() == 1 && is_url(first)) {
      return ReturnOptions{
          .is_set = true, .status = 302, .is_redirect = true, .text = binding.word(0)};
    }
    refuse_code(binding, kCodes);
    return std::nullopt;
  }
  if (*status > 999) {
    refuse_code(binding, kCodes);
    return std::nullopt;
  }
  if (*status < 200) {
    refuse_code(binding,
                "1xx announce another response, which would never come (RFC 9110 §15.2), "
                "and smaller ones do not exist: 200 to 999");
    return std::nullopt;
  }
  ReturnOptions options;
  options.is_set = true;
  options.status = *status;
  if (binding.count() == 2) {
    options.is_redirect = is_redirect_status(*status);
    options.text = binding.word(1);
    // nginx takes an empty text of an error for none, and shows the error's page.
    options.has_text = !options.is_redirect && !(*status >= 400 && options.text.text.empty());
  }
  return options;
}

void set_return(Binding& binding) {
  const auto read = read_return(binding);
  auto& options = binding.options<ReturnOptions>();
  if (read && !options.is_set) options = *read;  // the first one decides, as in nginx
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "return",
     .contexts = Context::server | Context::location,
     .arguments = config::takes(1, 2),
     .repeat = config::Repeat::repeatable,
     .syntax = "CODE [TEXT] | CODE URL | URL",
     .documentation =
         "Answers at once: with a status, a text, a redirect; 444 closes without a word.",
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
  if (!options->is_redirect) return;
  const bool one_line = std::ranges::all_of(plan.text.pieces(), [](const script::Piece& piece) {
    return piece.kind() != script::Piece::Kind::literal || http::is_field_value(piece.text());
  });
  if (!one_line) {
    diagnostics.error(options->text.at, "the URL of \"return\" has a control character",
                      "it becomes the header Location, which is one line");
  }
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
