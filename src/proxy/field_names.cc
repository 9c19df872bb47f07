#include "proxy/field_names.h"

#include <algorithm>

#include "base/text.h"

namespace proxy {

void drop_invalid_fields(Context& context) {
  const ClientOptions& options = context.server->level->get<ClientOptions>();
  if (!*options.ignore_invalid_headers) return;
  const bool underscores = *options.underscores_in_headers;
  const auto is_invalid = [underscores](const http::Field& field) {
    if (field.id != http::FieldName::other) return false;
    return !std::ranges::all_of(field.name, [underscores](char c) {
      return base::is_alpha(c) || base::is_digit(c) || c == '-' || (underscores && c == '_');
    });
  };
  http::Fields& fields = context.exchange.request.fields;
  if (std::ranges::none_of(fields, is_invalid)) return;
  const auto& sink = *context.site.listing().error_log;
  if (sink.enabled(observe::Level::info)) {
    for (const http::Field& field : fields) {
      if (!is_invalid(field)) continue;
      log(context, observe::Level::info,
          context.exchange.arena.join("client sent invalid header line: \"", field.name, "\""));
    }
  }
  fields.remove_if(is_invalid);
}

}  // namespace proxy
