#include "http/framing.h"

#include <limits>

#include "base/text.h"

namespace http {

Refusal parse_content_length(std::string_view text, std::uint64_t& length) noexcept {
  const auto value = base::parse_number<std::uint64_t>(text);
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!value || *value > kMax) return Refusal::invalid_content_length;
  length = *value;
  return Refusal::none;
}

bool is_framing_alias(const Field& field) noexcept {
  if (field.name.size() != 14 && field.name.size() != 17) return false;
  const FieldName folded = intern_folded(field.name);
  return folded == FieldName::content_length || folded == FieldName::transfer_encoding;
}

}  // namespace http
