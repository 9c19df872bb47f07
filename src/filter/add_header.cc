#include "filter/add_header.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "filter/expires.h"
#include "http/characters.h"

namespace filter {
namespace {

using config::Binding;
using config::Context;
using http::FieldName;

// The codec says how long a response is; a second opinion would be request smuggling's cousin.
bool frames_the_message(FieldName id) {
  return id == FieldName::content_length || id == FieldName::transfer_encoding;
}

// Checks NAME VALUE [always]; reports what is wrong and gives nothing.
std::optional<AddedHeader> read_header(const Binding& binding) {
  const std::string& name = binding.argument(0);
  if (!http::is_token(name)) {
    binding.error_at(0, "invalid header name \"" + name + "\"",
                     name.ends_with(':') ? "write the name without its colon"
                                         : "a name has letters, digits, \"-\" and \"_\"");
    return std::nullopt;
  }
  AddedHeader header{name, binding.word(1)};
  if (binding.count() == 3) {
    if (binding.argument(2) != "always") {
      binding.error_at(2, "invalid parameter \"" + binding.argument(2) + "\"",
                       "only \"always\" may stand here");
      return std::nullopt;
    }
    header.always = true;
  }
  return header;
}

void add_header(Binding& binding) {
  auto header = read_header(binding);
  if (!header) return;
  if (frames_the_message(http::intern(header->name))) {
    binding.warn_at(0, "\"" + header->name + "\" is not added by \"add_header\"",
                    "the length of a response is always that of what is sent");
    header->ignored = true;
  }
  binding.options<AddHeaderOptions>().headers.append(*std::move(header), binding.where());
}

void add_trailer(Binding& binding) {
  auto header = read_header(binding);
  if (!header) return;
  if (http::trailer_use(http::intern(header->name)) == http::TrailerUse::refuse) {
    binding.warn_at(0, "\"" + header->name + "\" is not added by \"add_trailer\"",
                    "it must not stand behind a body (RFC 9110 §6.5.1)");
    header->ignored = true;
  }
  binding.options<AddHeaderOptions>().trailers.append(*std::move(header), binding.where());
}

using O = AddHeaderOptions;
constexpr auto kContexts = config::kHttpServerLocation | Context::if_in_location;

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "add_header",
     .contexts = kContexts,
     .arguments = config::takes(2, 3),
     .repeat = config::Repeat::repeatable,
     .syntax = "NAME VALUE [always]",
     .documentation = "A header of the response to the client; with \"always\" on errors, too.",
     .set = add_header},
    {.name = "add_header_inherit",
     .contexts = kContexts,
     .syntax = "on | off | merge",
     .default_text = "on",
     .documentation = "Whether a block has the headers of the one around it if it has none of its "
                      "own, never, or behind its own.",
     .set = config::set_list_inheritance<&O::headers>},
    {.name = "add_trailer",
     .contexts = kContexts,
     .arguments = config::takes(2, 3),
     .repeat = config::Repeat::repeatable,
     .syntax = "NAME VALUE [always]",
     .documentation = "A field behind the response's body, which is then sent in chunks; with "
                      "\"always\" on errors, too.",
     .set = add_trailer},
    {.name = "add_trailer_inherit",
     .contexts = kContexts,
     .syntax = "on | off | merge",
     .default_text = "on",
     .documentation = "The same as add_header_inherit, for trailers.",
     .set = config::set_list_inheritance<&O::trailers>},
};

// Fields of which a response has one.
bool replaces(FieldName id) { return id == FieldName::last_modified || id == FieldName::etag; }

void check_text(const AddedHeader& header, const script::Value& value,
                config::Diagnostics& diagnostics) {
  const bool good = std::ranges::all_of(value.pieces(), [](const script::Piece& piece) {
    return piece.kind() != script::Piece::Kind::literal || http::is_field_value(piece.text());
  });
  if (good) return;
  diagnostics.error(
      header.value.at,
      "the value of header \"" + header.name + "\" has a line break or another control character",
      "a header's value is one line");
}

std::vector<AddHeaderPlan::Entry> compile(const std::vector<AddedHeader>& headers,
                                          script::Variables& variables,
                                          config::Diagnostics& diagnostics) {
  std::vector<AddHeaderPlan::Entry> entries;
  for (const AddedHeader& header : headers) {
    auto value = script::Value::compile(header.value, variables, diagnostics);
    check_text(header, value, diagnostics);
    if (header.ignored) continue;
    entries.push_back({http::intern(header.name), header.name, std::move(value), header.always});
  }
  return entries;
}

}  // namespace

const config::Feature kAddHeaderFeature{
    "add_header", kDirectives, config::inherit_options_with_lists<O, &O::headers, &O::trailers>};

void provision_add_header(config::Level& level, script::Variables& variables,
                          config::Diagnostics& diagnostics) {
  const auto& options = level.get<AddHeaderOptions>();
  const config::Level* parent = level.parent();
  const bool inherited = parent != nullptr && parent->find<AddHeaderPlan>() != nullptr &&
                         parent->find<AddHeaderOptions>() == &options;
  if (inherited) return level.share_from<AddHeaderPlan>(*parent);
  auto& plan = level.options<AddHeaderPlan>();
  plan.entries = compile(*options.headers, variables, diagnostics);
  plan.trailers = compile(*options.trailers, variables, diagnostics);
}

bool is_usual_success(unsigned status) noexcept {
  constexpr unsigned kStatuses[] = {200, 201, 204, 206, 301, 302, 303, 304, 307, 308};
  return std::ranges::find(kStatuses, status) != std::end(kStatuses);
}

bool apply_add_header(const config::Level& level, exchange::Exchange& exchange) {
  http::ResponseHead& response = exchange.response;
  const bool usual = is_usual_success(response.status);
  if (usual && !apply_expires(level, exchange)) return false;
  const auto* plan = level.find<AddHeaderPlan>();
  if (plan == nullptr || plan->entries.empty()) return true;
  script::Subject subject(exchange);
  for (const AddHeaderPlan::Entry& entry : plan->entries) {
    if (!usual && !entry.always) continue;
    const std::string_view value = entry.value.evaluate(subject);
    if (subject.failed) return false;
    if (value.empty()) {
      if (replaces(entry.id)) response.fields.remove(entry.id);
      continue;
    }
    const bool fits = replaces(entry.id)
                          ? response.fields.set(entry.name, value)
                          : response.fields.add(http::Field{entry.id, entry.name, value});
    if (!fits) return false;
  }
  return true;
}

bool expects_trailers(const config::Level& level, unsigned status) noexcept {
  const auto* plan = level.find<AddHeaderPlan>();
  if (plan == nullptr || plan->trailers.empty()) return false;
  return is_usual_success(status) ||
         std::ranges::any_of(plan->trailers, &AddHeaderPlan::Entry::always);
}

void add_trailers(const config::Level& level, exchange::Exchange& exchange,
                  http::Fields& trailers) {
  const auto* plan = level.find<AddHeaderPlan>();
  if (plan == nullptr) return;
  const bool usual = is_usual_success(exchange.response.status);
  for (const AddHeaderPlan::Entry& entry : plan->trailers) {
    if (!usual && !entry.always) continue;
    const std::string_view value = entry.value.evaluate(exchange);
    if (value.empty() || !http::is_field_value(value)) continue;
    if (!trailers.add(http::Field{entry.id, entry.name, value})) return;
  }
}

}  // namespace filter
