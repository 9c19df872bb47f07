#include "filter/charset.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "filter/head_changes.h"

namespace filter {
namespace {

using config::Binding;
using config::Context;
using http::FieldName;
using http::Then;
using O = CharsetOptions;
using Kind = RecodingTable::Kind;

constexpr std::string_view kUtf8 = "utf-8";

bool is_utf8(std::string_view name) { return base::equal_ignoring_case(name, kUtf8); }

// The charset_map blocks of an http block: built with all else.
struct CharsetMaps {
  std::vector<const config::Directive*> blocks;
};
struct CharsetsOfHttp {
  std::shared_ptr<const Charsets> charsets;
};

void set_charset(Binding& binding) {
  auto& setting = binding.options<O>().charset;
  if (binding.argument(0) == "off") return setting.set(std::nullopt, binding.where());
  setting.set(binding.word(0), binding.where());
}
void set_source(Binding& binding) {
  binding.options<O>().source.set(binding.word(0), binding.where());
}
void set_map(Binding& binding) {
  binding.options<CharsetMaps>().blocks.push_back(&binding.directive);
}
void set_charset_types(Binding& binding) {
  read_types(binding, binding.options<O>().types, "text/html");
}

constexpr auto kContexts = config::kHttpServerLocation | Context::if_in_location;

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "charset",
     .contexts = kContexts,
     .syntax = "NAME | off",
     .default_text = "off",
     .documentation = "The character set of responses, told in Content-Type.",
     .set = set_charset},
    {.name = "source_charset",
     .contexts = kContexts,
     .syntax = "NAME",
     .documentation = "The character set of responses before they are recoded to \"charset\".",
     .set = set_source},
    {.name = "override_charset",
     .contexts = kContexts,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether a response of a backend that tells its character set is recoded.",
     .set = config::set_flag<&O::override_told>},
    {.name = "charset_types",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "TYPE ... | *",
     .default_text = "text/html text/xml text/plain text/vnd.wap.wml application/javascript "
                     "application/rss+xml",
     .documentation = "The types of responses whose character set is told, besides text/html.",
     .set = set_charset_types},
    {.name = "charset_map",
     .contexts = Context::http,
     .arguments = config::takes(2),
     .block = config::kRawBlock,
     .repeat = config::Repeat::repeatable,
     .syntax = "FROM TO { CODE CODE; ... }",
     .documentation = "The codes of one character set in another.",
     .set = set_map},
};

// "D0", "d0B0": the bytes of an even number of hexadecimal digits, or of one digit; empty for what
// is none.
std::string from_hex(std::string_view text) {
  std::string padded = text.size() == 1 ? "0" + std::string(text) : std::string(text);
  std::string bytes;
  if (padded.size() % 2 != 0) return bytes;
  for (std::size_t i = 0; i < padded.size(); i += 2) {
    const int high = base::hex_value(padded[i]);
    const int low = base::hex_value(padded[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

void read_map(const config::Directive& block, Charsets& charsets,
              config::Diagnostics& diagnostics) {
  const config::Word& from = block.arguments[0];
  const config::Word& to = block.arguments[1];
  if (base::equal_ignoring_case(from.text, to.text)) {
    return diagnostics.error(from.at,
                             fmt::format("\"charset_map\" between the same charsets \"{}\" and "
                                         "\"{}\"",
                                         from.text, to.text));
  }
  if (is_utf8(from.text)) {
    return diagnostics.error(
        from.at, "\"charset_map\" with \"utf-8\" charset should be given in the second column");
  }
  const bool wide = is_utf8(to.text);
  RecodingTable there(wide ? Kind::to_utf8 : Kind::bytes);
  RecodingTable back(wide ? Kind::from_utf8 : Kind::bytes);
  for (const config::Directive& entry : block.block) {
    if (entry.arguments.size() != 1) {
      diagnostics.error(entry.name.at, "invalid parameters number",
                        "an entry is a code and the same character's code in the other set");
      continue;
    }
    const config::Word& second = entry.arguments.front();
    const std::string code = from_hex(entry.name.text);
    const std::string other = from_hex(second.text);
    const auto invalid = [&](const config::Word& word) {
      diagnostics.error(word.at, "invalid value \"" + word.text + "\"",
                        "a code is written in hexadecimal digits");
    };
    if (code.size() != 1) {
      invalid(entry.name);
      continue;
    }
    const auto byte = static_cast<unsigned char>(code.front());
    if (wide) {
      const std::uint32_t point = decode_utf8(other);
      if (point == kNotOne) {
        invalid(second);
        continue;
      }
      auto& character = there.characters[byte];
      character.size = static_cast<std::uint8_t>(other.size());
      std::ranges::copy(other, character.bytes.begin());
      back.codes[point] = byte;
    } else if (other.size() != 1) {
      invalid(second);
    } else {
      there.bytes[byte] = other.front();
      back.bytes[static_cast<unsigned char>(other.front())] = code.front();
    }
  }
  if (!charsets.add_table(from.text, to.text, std::move(there)) ||
      !charsets.add_table(to.text, from.text, std::move(back))) {
    diagnostics.error(from.at, fmt::format("duplicate \"charset_map\" between \"{}\" and \"{}\"",
                                           from.text, to.text));
  }
}

void add_names(const config::Level& level, Charsets& charsets) {
  if (const auto* options = level.find<CharsetOptions>()) {
    for (const auto* name : {&*options->charset, &*options->source}) {
      if (*name && !script::has_variables((*name)->text)) charsets.add((*name)->text);
    }
  }
  for (const auto& child : level.children()) add_names(*child, charsets);
}

std::shared_ptr<const Charsets> build(const config::Level& http, config::Diagnostics& diagnostics) {
  auto charsets = std::make_shared<Charsets>();
  if (const auto* maps = http.find<CharsetMaps>()) {
    for (const config::Directive* block : maps->blocks) read_map(*block, *charsets, diagnostics);
  }
  add_names(http, *charsets);
  return charsets;
}

// Both are constants that differ: without a table no response could be served.
void check_table(const CharsetPlan& plan, config::Diagnostics& diagnostics) {
  if (!plan.charset || !plan.source || !plan.charset->is_constant() ||
      !plan.source->is_constant()) {
    return;
  }
  const auto to = plan.charsets->find(plan.charset->constant());
  const auto from = plan.charsets->find(plan.source->constant());
  if (!to || !from || to == from || plan.charsets->table(*from, *to) != nullptr) return;
  diagnostics.error(plan.options->source.where,
                    fmt::format("no \"charset_map\" between the charsets \"{}\" and \"{}\"",
                                plan.source->constant(), plan.charset->constant()));
}

}  // namespace

const config::Feature kCharsetFeature{"charset", kDirectives, config::inherit_options<O>};

void Charsets::add(std::string_view name) {
  if (!find(name)) names_.emplace_back(name);
}

bool Charsets::add_table(std::string_view from, std::string_view to, RecodingTable table) {
  add(from);
  add(to);
  return tables_.try_emplace({*find(from), *find(to)}, std::move(table)).second;
}

std::optional<std::size_t> Charsets::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find_if(
      names_, [&](const std::string& known) { return base::equal_ignoring_case(known, name); });
  if (found == names_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names_.begin());
}

const RecodingTable* Charsets::table(std::size_t from, std::size_t to) const noexcept {
  const auto found = tables_.find({from, to});
  return found != tables_.end() ? &found->second : nullptr;
}

std::shared_ptr<const CharsetPlan> plan_charset(config::Level& level, script::Variables& variables,
                                                config::Diagnostics& diagnostics) {
  if (level.context() == Context::http) {
    level.options<CharsetsOfHttp>().charsets = build(level, diagnostics);
  }
  const auto* http = level.enclosing(Context::http);
  const auto* built = http != nullptr ? http->find<CharsetsOfHttp>() : nullptr;
  if (built == nullptr || built->charsets->empty()) return nullptr;
  auto plan = std::make_shared<CharsetPlan>();
  plan->charsets = built->charsets;
  plan->options = &level.get<CharsetOptions>();
  const auto compile = [&](const std::optional<config::Word>& word) {
    return word ? std::optional(script::Value::compile(*word, variables, diagnostics))
                : std::nullopt;
  };
  plan->charset = compile(*plan->options->charset);
  plan->source = compile(*plan->options->source);
  check_table(*plan, diagnostics);
  return plan;
}

CharsetChoice choose_charset(const CharsetPlan& plan, exchange::Exchange& exchange) {
  const ContentType told = content_type_of(exchange);
  CharsetChoice choice;
  if (told.type.empty()) return choice;
  std::string_view to_name = exchange.override_charset;
  if (!to_name.empty()) {
    if (!plan.charsets->find(to_name)) {
      choice.complaint = fmt::format("unknown charset \"{}\" to override", to_name);
      return choice;
    }
  } else {
    if (!plan.charset) return choice;
    if (told.charset.empty() ? !plan.options->types->match(told.type)
                             : !*plan.options->override_told) {
      return choice;
    }
    to_name = plan.charset->evaluate(exchange);
    if (to_name.empty()) return choice;
  }
  std::string_view from_name = told.charset;
  if (from_name.empty()) {
    if (!plan.source) {
      choice.name = to_name;
      return choice;
    }
    from_name = plan.source->evaluate(exchange);
  }
  const auto to = plan.charsets->find(to_name);
  const auto from = plan.charsets->find(from_name);
  if (base::equal_ignoring_case(to_name, from_name)) {
    choice.name = to_name;
    return choice;
  }
  const bool known = to && from;
  if (known && !exchange.response.fields.value(FieldName::content_encoding).empty()) return choice;
  const RecodingTable* table = known ? plan.charsets->table(*from, *to) : nullptr;
  if (table == nullptr) {
    choice.complaint = fmt::format("no \"charset_map\" between the charsets \"{}\" and \"{}\"",
                                   from_name, to_name);
    return choice;
  }
  choice.name = to_name;
  choice.table = table;
  return choice;
}

bool start_charset(const CharsetChoice& choice, exchange::Exchange& exchange,
                   BodyFilters& filters) {
  if (!choice.name) return true;
  http::ResponseHead& response = exchange.response;
  // Old browsers took a redirect's for that of the page behind it (nginx).
  const bool redirects = response.status == 301 || response.status == 302;
  const std::string_view type = content_type_of(exchange).type;
  const bool fits =
      response.fields.set(FieldName::content_type,
                          redirects ? type : exchange.arena.join(type, "; charset=", *choice.name));
  if (choice.table != nullptr) {
    filters.push_back(std::make_unique<CharsetFilter>(*choice.table));
    if (choice.table->changes_length()) forget_length(exchange);
  }
  return fits;
}

async::Task<base::Result<void>> CharsetFilter::write(std::string_view piece, Then then,
                                                     io::Patience patience) {
  out_.clear();
  recoding_.run(piece, out_);
  if (then == Then::end) recoding_.finish(out_);
  if (out_.empty() && then == Then::more) co_return base::Result<void>{};
  co_return co_await next().write(out_, then, patience);
}

}  // namespace filter
