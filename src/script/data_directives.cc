#include "script/data_directives.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "script/referer.h"

namespace script {
namespace {

template <auto Blocks>
void keep_block(config::Binding& binding) {
  (binding.options<DataBlocks>().*Blocks).push_back(&binding.directive);
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "map",
     .contexts = config::Context::http,
     .arguments = config::takes(2),
     .block = config::kRawBlock,
     .repeat = config::Repeat::repeatable,
     .syntax = "TEXT $VARIABLE",
     .documentation = "A variable whose value is looked up by a text: keys, wildcards of host "
                      "names, regular expressions.",
     .set = keep_block<&DataBlocks::maps>},
    {.name = "geo",
     .contexts = config::Context::http,
     .arguments = config::takes(1, 2),
     .block = config::kRawBlock,
     .repeat = config::Repeat::repeatable,
     .syntax = "[$ADDRESS] $VARIABLE",
     .documentation = "A variable whose value is looked up by an address: networks or ranges.",
     .set = keep_block<&DataBlocks::geos>},
    {.name = "split_clients",
     .contexts = config::Context::http,
     .arguments = config::takes(2),
     .block = config::kRawBlock,
     .repeat = config::Repeat::repeatable,
     .syntax = "TEXT $VARIABLE",
     .documentation = "A variable whose value is drawn by a hash of a text, in shares of percents.",
     .set = keep_block<&DataBlocks::splits>},
};

}  // namespace

const config::Feature kDataFeature{"data", kDirectives, nullptr};

std::optional<std::string_view> read_variable_name(const config::Word& word,
                                                   config::Diagnostics& diagnostics) {
  const std::string_view text = word.text;
  const bool good =
      text.size() > 1 && text.front() == '$' && std::ranges::all_of(text.substr(1), [](char c) {
        return base::is_alpha(c) || base::is_digit(c) || c == '_';
      });
  if (good) return text.substr(1);
  diagnostics.error(word.at, fmt::format("invalid variable name \"{}\"", text),
                    "a dollar sign, then letters, digits and \"_\"");
  return std::nullopt;
}

void provision_data(const config::Level& http, Variables& variables,
                    config::Diagnostics& diagnostics) {
  variables.define("invalid_referer", std::make_unique<InvalidReferer>(), Caching::whole_exchange,
                   {}, diagnostics);
  const auto* blocks = http.find<DataBlocks>();
  if (blocks == nullptr) return;
  for (const config::Directive* block : blocks->maps) compile_map(*block, variables, diagnostics);
  for (const config::Directive* block : blocks->geos) compile_geo(*block, variables, diagnostics);
  for (const config::Directive* block : blocks->splits) {
    compile_split_clients(*block, variables, diagnostics);
  }
}

}  // namespace script
