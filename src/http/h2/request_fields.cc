#include "http/h2/request_fields.h"

#include "base/text.h"
#include "http/characters.h"
#include "http/framing.h"
#include "http/h2/field_rules.h"
#include "http/host.h"
#include "http/target.h"

namespace http::h2 {

namespace {

constexpr std::uint8_t kMethod = 1;
constexpr std::uint8_t kScheme = 2;
constexpr std::uint8_t kAuthority = 4;
constexpr std::uint8_t kPath = 8;
constexpr std::uint8_t kProtocol = 16;

// What a log shows of a target that is too long.
constexpr std::size_t kShownTarget = 1024;

bool is_https(std::string_view scheme) noexcept {
  return base::equal_ignoring_case(scheme, "https");
}
bool is_web(std::string_view scheme) noexcept {
  return is_https(scheme) || base::equal_ignoring_case(scheme, "http");
}

std::uint16_t port_of(const HostPort& host, std::string_view scheme) noexcept {
  if (host.port != 0) return host.port;
  return is_https(scheme) ? 443 : 80;
}

}  // namespace

void RequestFields::add(std::string_view name, std::string_view value) {
  // As in HTTP/1, where a line has ": " and CRLF.
  decoded_ += name.size() + value.size() + 4;
  if (!sound()) return;
  if (name.starts_with(':')) return add_pseudo(name, value);
  add_regular(name, value);
}

void RequestFields::add_pseudo(std::string_view name, std::string_view value) {
  if (regular_seen_) return malform("pseudo_header_late");
  if (!is_sound_value(value)) return malform("pseudo_header_value");
  if (value.size() > limits_.max_line) {
    if (name != ":path") return refuse(Refusal::line_too_long);
    refuse(Refusal::uri_too_long);
    value = value.substr(0, kShownTarget);
  }
  if (name == ":method") return take_pseudo(kMethod, head_.method_text, value);
  if (name == ":path") return take_pseudo(kPath, head_.target, value);
  if (name == ":scheme") return take_pseudo(kScheme, head_.scheme, value);
  if (name == ":authority") return take_pseudo(kAuthority, head_.authority, value);
  if (name == ":protocol") return take_pseudo(kProtocol, head_.protocol, value);
  malform("pseudo_header_unknown");
}

void RequestFields::take_pseudo(std::uint8_t which, std::string_view& into,
                                std::string_view value) {
  if ((seen_ & which) != 0) return malform("pseudo_header_twice");
  seen_ = static_cast<std::uint8_t>(seen_ | which);
  if (which == kMethod) {
    head_.method = parse_method(value);
    if (head_.method != Method::other) {
      into = text_of(head_.method);
      return;
    }
  }
  into = head_.fields.arena().copy(value);
}

void RequestFields::add_regular(std::string_view name, std::string_view value) {
  regular_seen_ = true;
  const FieldName id = intern(name);
  if (const std::string_view rule = broken_rule(id, name, value); !rule.empty()) {
    return malform(rule);
  }
  if (decoded_ > limits_.max_total) return refuse(Refusal::head_too_large);
  if (name.size() + value.size() > limits_.max_line) return refuse(Refusal::line_too_long);
  if (++count_ > limits_.max_fields) return refuse(Refusal::too_many_fields);
  Field field{.id = id, .name = name, .value = value};
  if (id == FieldName::other && is_framing_alias(field)) return refuse(Refusal::framing_alias);
  base::Arena& arena = head_.fields.arena();
  field.name = id == FieldName::other ? arena.copy(name) : text_of(id);
  field.value = arena.copy(value);
  if (!head_.fields.add(field)) refuse(Refusal::too_many_fields);
}

void RequestFields::finish(bool end_stream) {
  head_.version = Version::http_2;
  head_.keep_alive = true;
  if (sound()) check_pseudo();
  if (sound()) read_target();
  if (sound()) read_host();
  if (sound()) read_length(end_stream);
  if (!sound()) return;
  join_cookies();
  head_.expect_continue =
      head_.body.has_body() &&
      base::equal_ignoring_case(head_.fields.value(FieldName::expect), "100-continue");
}

// RFC 9113 §8.3.1 and §8.5, RFC 8441 §4.
void RequestFields::check_pseudo() {
  if ((seen_ & kMethod) == 0 || head_.method_text.empty()) return malform("method_missing");
  const bool is_connect = head_.method == Method::connect;
  if ((seen_ & kProtocol) != 0 && !is_connect) return malform("protocol_without_connect");
  if (is_connect && (seen_ & kProtocol) == 0) {
    if ((seen_ & (kScheme | kPath)) != 0) return malform("connect_with_path");
    if ((seen_ & kAuthority) == 0) return malform("authority_missing");
    return;
  }
  if (is_connect && (seen_ & kAuthority) == 0) return malform("authority_missing");
  if (is_connect && !is_token(head_.protocol)) return malform("protocol_value");
  if ((seen_ & kScheme) == 0 || head_.scheme.empty()) return malform("scheme_missing");
  if ((seen_ & kPath) == 0 || head_.target.empty()) return malform("path_missing");
}

void RequestFields::read_target() {
  if (!character_class::all(head_.method_text, character_class::kMethod) ||
      head_.method_text.empty()) {
    return refuse(Refusal::invalid_method);
  }
  if (head_.method == Method::connect && head_.protocol.empty()) {
    head_.form = TargetForm::authority;
    head_.target = head_.authority;
    return;
  }
  if (!is_web(head_.scheme) || !is_target(head_.target)) return refuse(Refusal::invalid_target);
  if (head_.target == "*" && head_.method == Method::options) {
    head_.form = TargetForm::asterisk;
  } else if (head_.target.starts_with('/')) {
    head_.form = TargetForm::origin;
  } else {
    return refuse(Refusal::invalid_target);
  }
  split_query(head_.target, head_);
}

// RFC 9113 §8.3.1: a Host that names another than :authority is an attack on whoever reads the
// other one.
void RequestFields::read_host() {
  base::Arena& arena = head_.fields.arena();
  const bool has_authority = (seen_ & kAuthority) != 0;
  const Field* field = head_.fields.find(FieldName::host);
  if (field == nullptr && !has_authority) return refuse(Refusal::missing_host);
  if (head_.fields.count(FieldName::host) > 1) return refuse(Refusal::duplicate_host);
  const auto host = parse_host(has_authority ? head_.authority : field->value, arena);
  if (!host) return refuse(Refusal::invalid_host);
  head_.host = host->host;
  head_.port = host->port;
  if (head_.form == TargetForm::authority && head_.port == 0) {
    return refuse(Refusal::invalid_host);
  }
  if (!has_authority) return;
  if (field == nullptr) {
    if (!head_.fields.add(FieldName::host, head_.authority)) refuse(Refusal::too_many_fields);
    return;
  }
  const auto other = parse_host(field->value, arena);
  if (!other) return refuse(Refusal::invalid_host);
  if (other->host != host->host || port_of(*other, head_.scheme) != port_of(*host, head_.scheme)) {
    refuse(Refusal::host_mismatch);
  }
}

// RFC 9113 §8.1.1. Without a Content-Length the body ends with the stream.
void RequestFields::read_length(bool end_stream) {
  head_.body = {};
  const Field* field = head_.fields.find(FieldName::content_length);
  const bool is_tunnel = head_.method == Method::connect;
  if (field != nullptr) {
    if (head_.fields.count(FieldName::content_length) > 1) {
      return refuse(Refusal::duplicate_content_length);
    }
    std::uint64_t length = 0;
    const Refusal refusal = parse_content_length(field->value, length);
    if (refusal != Refusal::none) return refuse(refusal);
    if (is_tunnel) return malform("connect_with_length");
    content_length_ = length;
    if (end_stream && length > 0) return malform("content_length");
    if (length > 0) head_.body = {.kind = BodyFraming::Kind::length, .length = length};
    return;
  }
  if (!end_stream && !is_tunnel) head_.body.kind = BodyFraming::Kind::chunked;
}

// RFC 9113 §8.2.3. What stands above reads one Cookie, as HTTP/1 has it. Empty pieces are left out:
// the value may not end with a blank (§8.2.1).
void RequestFields::join_cookies() {
  const std::size_t count = head_.fields.count(FieldName::cookie);
  if (count < 2) return;
  base::Arena& arena = head_.fields.arena();
  const auto pieces = arena.make_array<std::string_view>(count * 2 - 1);
  std::size_t at = 0;
  for (const Field& field : head_.fields) {
    if (field.id != FieldName::cookie || field.value.empty()) continue;
    if (at > 0) pieces[at++] = "; ";
    pieces[at++] = field.value;
  }
  static_cast<void>(head_.fields.set(FieldName::cookie, arena.concat(pieces.first(at))));
}

}  // namespace http::h2
