#include "http/h2/field_rules.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "http/characters.h"
#include "http/find_control.h"

namespace http::h2 {

namespace {

constexpr std::size_t kLongestName = 32;
struct LowerName {
  std::array<char, kLongestName> text{};
  std::size_t size = 0;
};

consteval LowerName lower(std::string_view name) {
  LowerName result;
  for (const char c : name) {
    result.text[result.size++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

constexpr std::array<LowerName, kFieldNameCount> kLowerNames = {
    LowerName{},
#define SALLYPORT_FIELD_NAME(id, text) lower(text),
    SALLYPORT_FIELD_NAMES(SALLYPORT_FIELD_NAME)
#undef SALLYPORT_FIELD_NAME
};

bool is_lower_token(std::string_view name) noexcept {
  return is_token(name) && std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

}  // namespace

std::string_view lower_text_of(FieldName id) noexcept {
  const LowerName& name = kLowerNames[static_cast<std::size_t>(id)];
  return {name.text.data(), name.size};
}

bool is_sound_value(std::string_view value) noexcept {
  if (value.empty()) return true;
  return !is_blank(value.front()) && !is_blank(value.back()) &&
         find_control(value, 0) == value.size();
}

bool is_connection_specific(FieldName id) noexcept {
  switch (id) {
    case FieldName::connection:
    case FieldName::keep_alive:
    case FieldName::proxy_connection:
    case FieldName::transfer_encoding:
    case FieldName::upgrade: return true;
    default: return false;
  }
}

std::string_view broken_rule(FieldName id, std::string_view name, std::string_view value) noexcept {
  if (!is_lower_token(name)) return "field_name";
  if (!is_sound_value(value)) return "field_value";
  if (id == FieldName::other) return {};
  if (is_connection_specific(id)) return "connection_field";
  if (id == FieldName::te && !base::equal_ignoring_case(value, "trailers")) return "te";
  return {};
}

std::string_view TrailerFields::add(std::string_view name, std::string_view value) {
  if (name.starts_with(':')) return "pseudo_header_in_trailer";
  const FieldName id = intern(name);
  if (const std::string_view rule = broken_rule(id, name, value); !rule.empty()) return rule;
  const TrailerUse use = trailer_use(id);
  if (use == TrailerUse::refuse) return "trailer_forbidden";
  bytes_ += name.size() + value.size() + 4;
  if (bytes_ > max_bytes_ || ++count_ > max_fields_) return "trailer_too_large";
  if (use == TrailerUse::drop) return {};
  base::Arena& arena = fields_.arena();
  const std::string_view kept = id == FieldName::other ? arena.copy(name) : text_of(id);
  if (!fields_.add(Field{.id = id, .name = kept, .value = arena.copy(value)})) {
    return "trailer_too_large";
  }
  return {};
}

}  // namespace http::h2
