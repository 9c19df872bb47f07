#include "http/h1/request_parser.h"

#include <algorithm>

#include "base/text.h"
#include "http/characters.h"
#include "http/h1/feed_head.h"
#include "http/h1/field_lines.h"
#include "http/host.h"
#include "http/target.h"

namespace http::h1 {

namespace {

// RFC 9112 §3.2.2: http://host:port/path?query. Schemes other than http and https are not ours.
Refusal parse_absolute_form(RequestHead& head) {
  const std::size_t colon = head.target.find("://");
  if (colon == std::string_view::npos) return Refusal::invalid_target;
  const std::string_view scheme = head.target.substr(0, colon);
  if (!base::equal_ignoring_case(scheme, "http") && !base::equal_ignoring_case(scheme, "https")) {
    return Refusal::invalid_target;
  }
  const std::string_view rest = head.target.substr(colon + 3);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  const auto host = parse_host(rest.substr(0, end), head.fields.arena());
  if (!host) return Refusal::invalid_host;
  head.form = TargetForm::absolute;
  head.scheme = scheme;
  head.authority = rest.substr(0, end);
  head.host = host->host;
  head.port = host->port;
  split_query(rest.substr(end), head);
  if (head.raw_path.empty()) head.raw_path = "/";
  return Refusal::none;
}

// RFC 9112 §3.2.3: CONNECT's host:port, the port included. HTTP/1.0 had no such method.
Refusal parse_authority_form(RequestHead& head) {
  if (head.version == Version::http_1_0) return Refusal::connect;
  const auto host = parse_host(head.target, head.fields.arena());
  if (!host || host->port == 0) return Refusal::invalid_target;
  head.form = TargetForm::authority;
  head.authority = head.target;
  head.host = host->host;
  head.port = host->port;
  split_query({}, head);
  return Refusal::none;
}

Refusal parse_target(RequestHead& head) {
  head.scheme = {};
  head.authority = {};
  head.host = {};
  head.port = 0;
  if (!is_target(head.target)) return Refusal::invalid_target;
  if (head.method == Method::connect) return parse_authority_form(head);
  if (head.target.starts_with('/')) {
    head.form = TargetForm::origin;
    split_query(head.target, head);
    return Refusal::none;
  }
  if (head.target == "*") {  // RFC 9112 §3.2.4
    if (head.method != Method::options) return Refusal::invalid_target;
    head.form = TargetForm::asterisk;
    split_query(head.target, head);
    return Refusal::none;
  }
  return parse_absolute_form(head);
}

// method SP request-target SP HTTP-version, with exactly these two spaces (RFC 9112 §3).
Refusal parse_request_line(std::string_view line, RequestHead& head) {
  const std::size_t first = std::min(line.find(' '), line.size());
  head.method_text = line.substr(0, first);
  if (head.method_text.empty() ||
      !character_class::all(head.method_text, character_class::kMethod)) {
    return Refusal::invalid_method;
  }
  const std::string_view rest = line.substr(std::min(first + 1, line.size()));
  if (rest.empty()) return Refusal::invalid_request_line;
  const std::size_t second = rest.find(' ');
  if (second == std::string_view::npos) return Refusal::http09;
  head.target = rest.substr(0, second);
  const std::string_view version = rest.substr(second + 1);
  if (version.find(' ') != std::string_view::npos && !version.starts_with("HTTP/")) {
    return Refusal::invalid_target;
  }
  const Refusal refusal = parse_version(version, head.version);
  if (refusal != Refusal::none) return refusal;
  head.method = parse_method(head.method_text);
  return parse_target(head);
}

// RFC 9112 §3.2: exactly one Host in HTTP/1.1, at most one in HTTP/1.0, and always a valid one.
Refusal read_host(RequestHead& head) {
  const Field* field = head.fields.find(FieldName::host);
  if (field == nullptr) {
    return head.version == Version::http_1_0 ? Refusal::none : Refusal::missing_host;
  }
  if (head.fields.count(FieldName::host) > 1) return Refusal::duplicate_host;
  const auto host = parse_host(field->value, head.fields.arena());
  if (!host) return Refusal::invalid_host;
  if (head.form == TargetForm::absolute) return Refusal::none;
  if (head.form == TargetForm::authority) {
    // Identical, but for a port that only the target has (RFC 9110 §7.2).
    const bool same_port = host->port == 0 || host->port == head.port;
    return host->host == head.host && same_port ? Refusal::none : Refusal::host_mismatch;
  }
  head.host = host->host;
  head.port = host->port;
  return Refusal::none;
}

// RFC 9112 §6.3: without Content-Length and Transfer-Encoding a request has no body.
Refusal read_framing(RequestHead& head) noexcept {
  LengthFields lengths;
  const Refusal refusal = read_length_fields(head.fields, head.version, lengths);
  if (refusal != Refusal::none) return refusal;
  head.body = {};
  if (lengths.chunked) {
    head.body.kind = BodyFraming::Kind::chunked;
  } else if (lengths.content_length.value_or(0) > 0) {
    head.body = {.kind = BodyFraming::Kind::length, .length = *lengths.content_length};
  }
  return Refusal::none;
}

Refusal parse_fields(std::string_view section, RequestHead& head) {
  head.fields.clear();
  Refusal refusal = parse_field_lines(section, head.fields);
  if (refusal == Refusal::none) refusal = read_framing(head);
  if (refusal == Refusal::none) refusal = read_host(head);
  if (refusal != Refusal::none) return refusal;
  const ConnectionOptions connection = read_connection(head.fields, head.version);
  head.keep_alive = connection.keep_alive;
  head.upgrade = connection.upgrade;
  // RFC 9110 §10.1.1: HTTP/1.0 clients can't expect; without a body there is nothing to wait for.
  head.expect_continue =
      head.version == Version::http_1_1 && head.body.has_body() &&
      base::equal_ignoring_case(head.fields.value(FieldName::expect), "100-continue");
  return Refusal::none;
}

}  // namespace

HeadProgress RequestHeadParser::feed(std::string_view buffered, RequestHead& head) {
  return feed_head(
      scanner_, buffered, [&](std::string_view line) { return parse_request_line(line, head); },
      [&](std::string_view section) { return parse_fields(section, head); });
}

void RequestHeadParser::take_line(std::string_view buffered, RequestHead& head) const {
  if (scanner_.first_line_end() == 0) return;
  const std::string_view line =
      buffered.substr(scanner_.begin(), scanner_.first_line_end() - scanner_.begin());
  // It was accepted when it came; the views must be of where the buffer is now.
  static_cast<void>(parse_request_line(line, head));
}

}  // namespace http::h1
