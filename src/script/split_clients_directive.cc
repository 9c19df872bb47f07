// `split_clients TEXT $VARIABLE { ... }`.
#include <fmt/format.h>

#include <memory>

#include "base/text.h"
#include "script/data_directives.h"
#include "script/split_clients.h"

namespace script {
namespace {

// "12.5%" in hundredths of a percent: two decimals at most, and not nothing.
std::optional<std::uint32_t> parse_percents(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  const auto dot = text.find('.');
  std::string digits(text.substr(0, dot));
  std::string decimals(dot == std::string_view::npos ? "" : text.substr(dot + 1));
  if (decimals.size() > 2) return std::nullopt;
  decimals.resize(2, '0');
  const auto number = base::parse_number<std::uint32_t>(digits + decimals);
  return number && *number > 0 ? number : std::nullopt;
}

}  // namespace

void compile_split_clients(const config::Directive& block, Variables& variables,
                           config::Diagnostics& diagnostics) {
  const config::Word& word = block.arguments[1];
  const auto name = read_variable_name(word, diagnostics);
  auto split =
      std::make_unique<SplitClients>(Value::compile(block.arguments[0], variables, diagnostics));
  for (const config::Directive& entry : block.block) {
    const config::Word& share = entry.name;
    if (entry.arguments.size() != 1) {
      diagnostics.error(share.at, "invalid number of the split_clients parameters",
                        "an entry is a share and a value; quote what has spaces in it");
      continue;
    }
    const std::string& value = entry.arguments.front().text;
    if (share.text == "*") {
      split->add_rest(value);
      continue;
    }
    const auto percents = parse_percents(share.text);
    if (!percents) {
      diagnostics.error(share.at, fmt::format("invalid percent value \"{}\"", share.text),
                        "a share is \"0.01%\" to \"100%\", or \"*\" for the rest");
    } else if (!split->add(*percents, value)) {
      diagnostics.error(share.at, "percent total is greater than 100%");
    }
  }
  if (name)
    variables.define(*name, std::move(split), Caching::whole_exchange, word.at, diagnostics);
}

}  // namespace script
