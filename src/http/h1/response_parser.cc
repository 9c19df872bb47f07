#include "http/h1/response_parser.h"

#include "base/text.h"
#include "http/h1/feed_head.h"
#include "http/h1/field_lines.h"

namespace http::h1 {

namespace {

// HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4), the second space included.
Refusal parse_status_line(std::string_view line, ResponseHead& head) noexcept {
  constexpr std::size_t kVersionSize = 8;
  constexpr std::size_t kReasonAt = 13;  // "HTTP/1.1 200 "
  if (!line.starts_with("HTTP/")) return Refusal::invalid_status_line;
  const Refusal refusal = parse_version(line.substr(0, line.find(' ')), head.version);
  if (refusal != Refusal::none) return refusal;
  if (line.size() < kReasonAt || line[kVersionSize] != ' ' || line[kReasonAt - 1] != ' ') {
    return Refusal::invalid_status_line;
  }
  const auto status = base::parse_number<std::uint16_t>(line.substr(kVersionSize + 1, 3));
  if (!status) return Refusal::invalid_status_line;
  if (*status < 100 || *status > 599) return Refusal::invalid_status;
  head.status = *status;
  head.reason = line.substr(kReasonAt);
  return Refusal::none;
}

// RFC 9112 §6.3. A 1xx or 204 must not announce a body (RFC 9110 §8.6, RFC 9112 §6.1); a
// Content-Length of 0 in a 204 is common and says nothing wrong.
Refusal read_framing(Method method, ResponseHead& head) noexcept {
  LengthFields lengths;
  const Refusal refusal = read_length_fields(head.fields, head.version, lengths);
  if (refusal != Refusal::none) return refusal;
  head.body = {};
  if (head.status < 200 || head.status == 204) {
    if (lengths.chunked) return Refusal::transfer_encoding_not_allowed;
    if (lengths.content_length.value_or(0) > 0) return Refusal::content_length_not_allowed;
    return Refusal::none;
  }
  if (method == Method::head || head.status == 304) return Refusal::none;
  if (lengths.chunked) {
    head.body.kind = BodyFraming::Kind::chunked;
  } else if (!lengths.content_length) {
    head.body.kind = BodyFraming::Kind::until_close;
  } else if (*lengths.content_length > 0) {
    head.body = {.kind = BodyFraming::Kind::length, .length = *lengths.content_length};
  }
  return Refusal::none;
}

Refusal parse_fields(std::string_view section, Method method, ResponseHead& head) {
  head.fields.clear();
  Refusal refusal = parse_field_lines(section, head.fields);
  if (refusal == Refusal::none) refusal = read_framing(method, head);
  if (refusal != Refusal::none) return refusal;
  const ConnectionOptions connection = read_connection(head.fields, head.version);
  head.keep_alive = connection.keep_alive && head.body.kind != BodyFraming::Kind::until_close;
  head.upgrade = connection.upgrade;
  return Refusal::none;
}

}  // namespace

HeadProgress ResponseHeadParser::feed(std::string_view buffered, ResponseHead& head) {
  HeadProgress progress = feed_head(
      scanner_, buffered,
      [&](std::string_view line) {
        // Empty lines are forgiven to clients only (RFC 9112 §2.2).
        return scanner_.begin() == 0 ? parse_status_line(line, head) : Refusal::invalid_status_line;
      },
      [&](std::string_view section) { return parse_fields(section, method_, head); });
  if (progress.refusal == Refusal::uri_too_long) progress.refusal = Refusal::line_too_long;
  return progress;
}

}  // namespace http::h1
