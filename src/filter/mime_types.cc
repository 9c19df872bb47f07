#include "filter/mime_types.h"

#include <algorithm>

#include "base/text.h"

namespace filter {

bool MimeTypes::match(std::string_view type) const noexcept {
  return all || std::ranges::any_of(types, [&](const std::string& known) {
           return base::equal_ignoring_case(known, type);
         });
}

ContentType content_type_of(const exchange::Exchange& exchange) noexcept {
  constexpr std::string_view kCharset = "charset=";
  const std::string_view value = exchange.response.fields.value(http::FieldName::content_type);
  for (auto at = value.find(';'); at != std::string_view::npos; at = value.find(';', at + 1)) {
    std::string_view parameter = base::trim(value.substr(at + 1));
    if (!base::starts_with_ignoring_case(parameter, kCharset)) continue;
    parameter.remove_prefix(kCharset.size());
    if (parameter.starts_with('"')) parameter.remove_prefix(1);
    if (parameter.ends_with('"')) parameter.remove_suffix(1);
    return {.type = base::trim(value.substr(0, at)), .charset = parameter};
  }
  return {.type = value, .charset = {}};
}

void read_types(config::Binding& binding, config::Setting<MimeTypes>& setting,
                std::string_view first) {
  MimeTypes types{.all = false, .types = {std::string(first)}};
  for (std::size_t i = 0; i < binding.count(); ++i) {
    if (binding.argument(i) == "*") {
      types.all = true;
      break;
    }
    std::string type = base::lower(binding.argument(i));
    if (std::ranges::find(types.types, type) != types.types.end()) {
      binding.warn_at(i, "duplicate MIME type \"" + type + "\"", "it is in the list already");
      continue;
    }
    types.types.push_back(std::move(type));
  }
  setting.set(std::move(types), binding.where());
}

}  // namespace filter
