#include "http/h1/field_lines.h"

#include <algorithm>

#include "base/text.h"
#include "http/characters.h"
#include "http/find_control.h"
#include "http/framing.h"
#include "http/list.h"

namespace http::h1 {

namespace {

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

std::string_view trim_blanks(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Why this line does not begin with a name and a colon.
Refusal refusal_of_name(std::string_view line) noexcept {
  if (line.find(':') == std::string_view::npos) return Refusal::missing_colon;
  std::size_t at = 0;
  while (is_token_char(line[at])) ++at;  // up to the colon at the latest
  if (is_blank(line[at])) {
    const std::size_t after = line.find_first_not_of(" \t", at);
    if (after != std::string_view::npos && line[after] == ':') return Refusal::space_before_colon;
  }
  return Refusal::invalid_name;
}

// RFC 9112 §6.1: chunked must be the final coding and be applied once; we know no other.
Refusal check_transfer_encoding(std::string_view value) noexcept {
  if (base::equal_ignoring_case(value, "chunked")) return Refusal::none;
  std::size_t chunked = 0;
  bool final_chunked = false;
  bool well_formed = true;
  for (std::string_view rest = value; !rest.empty();) {
    const std::string_view coding = base::trim(base::split_first(rest, ','));
    final_chunked = base::equal_ignoring_case(coding, "chunked");
    if (final_chunked) ++chunked;
    well_formed = well_formed && is_token(coding);
  }
  if (chunked > 1) return Refusal::transfer_encoding_chunked_twice;
  if (!final_chunked || !well_formed || value.ends_with(',')) {
    return Refusal::transfer_encoding_not_chunked;
  }
  return Refusal::transfer_encoding_unknown;
}

}  // namespace

Refusal parse_field_line(std::string_view line, Field& field) noexcept {
  if (line.empty() || is_blank(line.front())) return Refusal::obs_fold;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return refusal_of_name(line);
  if (colon == 0) return Refusal::empty_name;
  field.name = line.substr(0, colon);
  field.id = intern(field.name);
  if (field.id == FieldName::other) {  // the known names are tokens
    if (!is_token(field.name)) return refusal_of_name(line);
    if (is_framing_alias(field)) return Refusal::framing_alias;
  }
  field.value = trim_blanks(line.substr(colon + 1));
  return Refusal::none;
}

Refusal parse_field_lines(std::string_view section, Fields& fields) {
  for (std::size_t start = 0;;) {
    const std::size_t end = find_control(section, start);
    if (end == start) return Refusal::none;
    Field field;
    const Refusal refusal = parse_field_line(section.substr(start, end - start), field);
    if (refusal != Refusal::none) return refusal;
    if (!fields.add(field)) return Refusal::too_many_fields;
    start = end + 2;
  }
}

Refusal read_length_fields(const Fields& fields, Version version, LengthFields& lengths) noexcept {
  const Field* transfer_encoding = fields.find(FieldName::transfer_encoding);
  const Field* content_length = fields.find(FieldName::content_length);
  if (transfer_encoding != nullptr) {
    if (content_length != nullptr) return Refusal::content_length_with_transfer_encoding;
    if (version == Version::http_1_0) return Refusal::transfer_encoding_in_http10;
    if (fields.count(FieldName::transfer_encoding) > 1) {
      return Refusal::duplicate_transfer_encoding;
    }
    const Refusal refusal = check_transfer_encoding(transfer_encoding->value);
    lengths.chunked = refusal == Refusal::none;
    return refusal;
  }
  if (content_length == nullptr) return Refusal::none;
  if (fields.count(FieldName::content_length) > 1) return Refusal::duplicate_content_length;
  return parse_content_length(content_length->value, lengths.content_length.emplace());
}

ConnectionOptions read_connection(const Fields& fields, Version version) noexcept {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  if (fields.has(FieldName::connection)) {
    for (const Field& field : fields) {
      if (field.id != FieldName::connection) continue;
      ListReader options(field.value);
      while (const auto option = options.next()) {
        if (base::equal_ignoring_case(*option, "close")) close = true;
        if (base::equal_ignoring_case(*option, "keep-alive")) keep_alive = true;
        if (base::equal_ignoring_case(*option, "upgrade")) upgrade = true;
      }
    }
  }
  return {.keep_alive = !close && (keep_alive || version == Version::http_1_1),
          .upgrade = upgrade && fields.has(FieldName::upgrade)};
}

Refusal parse_version(std::string_view text, Version& version) noexcept {
  constexpr std::string_view kName = "HTTP/";
  if (text == "HTTP/1.1") {
    version = Version::http_1_1;
    return Refusal::none;
  }
  if (text == "HTTP/1.0") {
    version = Version::http_1_0;
    return Refusal::none;
  }
  const bool well_formed = text.size() == 8 && text.starts_with(kName) && base::is_digit(text[5]) &&
                           text[6] == '.' && base::is_digit(text[7]);
  return well_formed ? Refusal::unsupported_version : Refusal::invalid_version;
}

}  // namespace http::h1
