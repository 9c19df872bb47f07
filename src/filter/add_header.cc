#include "filter/add_header.h"

#include <algorithm>

#include "http/characters.h"

namespace filter {
namespace {

using config::Binding;
using http::FieldName;

// The codec says how long a response is; a second opinion would be request smuggling's cousin.
bool frames_the_message(FieldName id) {
  return id == FieldName::content_length || id == FieldName::transfer_encoding;
}

void add_header(Binding& binding) {
  const std::string& name = binding.argument(0);
  if (!http::is_token(name)) {
    return binding.error_at(0, "invalid header name \"" + name + "\"",
                            name.ends_with(':') ? "write the name without its colon"
                                                : "a name has letters, digits, \"-\" and \"_\"");
  }
  AddedHeader header{name, binding.word(1)};
  if (binding.count() == 3) {
    if (binding.argument(2) != "always") {
      return binding.error_at(2, "invalid parameter \"" + binding.argument(2) + "\"",
                              "only \"always\" may stand here");
    }
    header.always = true;
  }
  if (frames_the_message(http::intern(name))) {
    binding.warn_at(0, "\"" + name + "\" is not added by \"add_header\"",
                    "the length of a response is always that of what is sent");
    header.ignored = true;
  }
  binding.options<AddHeaderOptions>().headers.append(std::move(header), binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "add_header",
     .contexts = config::kHttpServerLocation | config::Context::if_in_location,
     .arguments = config::takes(2, 3),
     .repeat = config::Repeat::repeatable,
     .syntax = "NAME VALUE [always]",
     .documentation = "A header of the response to the client; with \"always\" on errors, too.",
     .set = add_header},
};

bool is_usual_success(unsigned status) {
  constexpr unsigned kStatuses[] = {200, 201, 204, 206, 301, 302, 303, 304, 307, 308};
  return std::ranges::find(kStatuses, status) != std::end(kStatuses);
}

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

}  // namespace

const config::Feature kAddHeaderFeature{"add_header", kDirectives,
                                        config::inherit_options<AddHeaderOptions>};

void provision_add_header(config::Level& level, script::Variables& variables,
                          config::Diagnostics& diagnostics) {
  const auto& options = level.get<AddHeaderOptions>();
  const config::Level* parent = level.parent();
  const bool inherited = parent != nullptr && parent->find<AddHeaderPlan>() != nullptr &&
                         parent->find<AddHeaderOptions>() == &options;
  if (inherited) return level.share_from<AddHeaderPlan>(*parent);
  auto& plan = level.options<AddHeaderPlan>();
  for (const AddedHeader& header : *options.headers) {
    auto value = script::Value::compile(header.value, variables, diagnostics);
    check_text(header, value, diagnostics);
    if (header.ignored) continue;
    plan.entries.push_back(
        {http::intern(header.name), header.name, std::move(value), header.always});
  }
}

bool apply_add_header(const config::Level& level, exchange::Exchange& exchange) {
  const auto* plan = level.find<AddHeaderPlan>();
  if (plan == nullptr || plan->entries.empty()) return true;
  http::ResponseHead& response = exchange.response;
  const bool usual = is_usual_success(response.status);
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

}  // namespace filter
