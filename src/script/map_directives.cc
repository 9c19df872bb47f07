// `map TEXT $VARIABLE { ... }`.
#include <fmt/format.h>

#include <memory>

#include "script/data_directives.h"
#include "script/map.h"

namespace script {
namespace {

using config::Word;

class MapCompiler {
 public:
  MapCompiler(Map& map, Variables& variables, config::Diagnostics& diagnostics)
      : map_(map), variables_(variables), diagnostics_(diagnostics) {}

  void add(const config::Directive& entry);
  [[nodiscard]] Caching caching() const noexcept { return caching_; }

 private:
  void add_pattern(const Word& key, Map::Outcome outcome);
  void add_key(const Word& key, Map::Outcome outcome);

  Map& map_;
  Variables& variables_;
  config::Diagnostics& diagnostics_;
  Caching caching_ = Caching::whole_exchange;
  bool has_default_ = false;
};

void MapCompiler::add(const config::Directive& entry) {
  const Word& key = entry.name;
  if (entry.arguments.empty() && key.text == "hostnames") return map_.use_host_names();
  if (entry.arguments.empty() && key.text == "volatile") {
    caching_ = Caching::none;
    return;
  }
  if (entry.arguments.size() != 1) {
    return diagnostics_.error(key.at, "invalid number of the map parameters",
                              "an entry is a key and a value; quote what has spaces in it");
  }
  const Word& value = entry.arguments.front();
  const Map::Outcome outcome = has_variables(value.text)
                                   ? map_.evaluated(Value::compile(value, variables_, diagnostics_))
                                   : map_.constant(value.text);
  if (key.text == "default") {
    if (has_default_) return diagnostics_.error(key.at, "duplicate default map parameter");
    has_default_ = true;
    return map_.set_default(outcome);
  }
  if (key.text.starts_with('~')) return add_pattern(key, outcome);
  add_key(key, outcome);
}

void MapCompiler::add_pattern(const Word& key, Map::Outcome outcome) {
  std::string_view expression = std::string_view(key.text).substr(1);
  auto letter_case = base::Regex::Case::sensitive;
  if (expression.starts_with('*')) {
    letter_case = base::Regex::Case::insensitive;
    expression.remove_prefix(1);
  }
  auto pattern = Pattern::compile(expression, letter_case, key.at, variables_, diagnostics_);
  if (pattern) map_.add(*std::move(pattern), outcome);
}

void MapCompiler::add_key(const Word& key, Map::Outcome outcome) {
  std::string_view text = key.text;
  if (text.starts_with('\\')) text.remove_prefix(1);
  switch (map_.add(text, outcome)) {
    case NameHash::Added::ok: break;
    case NameHash::Added::duplicate:
      diagnostics_.error(key.at, fmt::format("conflicting parameter \"{}\"", text),
                         "the key stands there already; letter case does not count");
      break;
    case NameHash::Added::invalid:
      diagnostics_.error(key.at, fmt::format("invalid hostname or wildcard \"{}\"", text),
                         "a star may stand for the first label or the last one");
      break;
  }
}

}  // namespace

void compile_map(const config::Directive& block, Variables& variables,
                 config::Diagnostics& diagnostics) {
  const auto name = read_variable_name(block.arguments[1], diagnostics);
  auto map = std::make_unique<Map>(Value::compile(block.arguments[0], variables, diagnostics));
  MapCompiler compiler(*map, variables, diagnostics);
  for (const config::Directive& entry : block.block) compiler.add(entry);
  if (!name) return;
  variables.define(*name, std::move(map), compiler.caching(), block.arguments[1].at, diagnostics);
}

}  // namespace script
