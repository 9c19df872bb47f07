#include "http/h2/response_fields.h"

#include <algorithm>

#include "base/text.h"
#include "http/framing.h"
#include "http/h2/field_rules.h"

namespace http::h2 {

namespace {

// As in HTTP/1, where a line has ": " and CRLF.
constexpr std::size_t kLineOverhead = 4;
// Interim responses count, too: a backend can't make them grow without end.
constexpr std::size_t kInterimHeads = 4;
// What one costs that says nothing: it is kept until somebody reads it.
constexpr std::size_t kHeadOverhead = 512;

Refusal refusal_of(std::string_view rule) noexcept {
  if (rule == "field_name") return Refusal::invalid_name;
  if (rule == "field_value") return Refusal::invalid_value;
  return Refusal::connection_field;
}

}  // namespace

void ResponseFields::refuse(Refusal refusal, std::string_view rule) noexcept {
  if (!sound()) return;
  refusal_ = refusal;
  rule_ = rule.empty() ? explain(refusal) : rule;
}

void ResponseFields::begin(ResponseHead& head) noexcept {
  head_ = &head;
  if (has_status_) interim_bytes_ += bytes_ + kHeadOverhead;
  bytes_ = 0;
  count_ = 0;
  has_status_ = false;
  regular_seen_ = false;
}

void ResponseFields::add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size() + kLineOverhead;
  if (!sound()) return;
  if (!name.starts_with(':')) return add_regular(name, value);
  if (regular_seen_) return refuse(Refusal::pseudo_header, "a pseudo-header field came late");
  if (name != ":status") return refuse(Refusal::pseudo_header, "an unknown pseudo-header field");
  add_status(value);
}

void ResponseFields::add_status(std::string_view value) {
  if (has_status_) return refuse(Refusal::pseudo_header, "more than one :status");
  has_status_ = true;
  const bool is_number =
      value.size() == 3 && std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number) return refuse(Refusal::invalid_status);
  const auto status = base::parse_number<std::uint16_t>(value).value_or(0);
  if (status < 100 || status > 599) return refuse(Refusal::invalid_status);
  // RFC 9113 §8.6: HTTP/2 has no such thing.
  if (status == 101) return refuse(Refusal::invalid_status, "a 101 in HTTP/2");
  head_->status = status;
}

void ResponseFields::add_regular(std::string_view name, std::string_view value) {
  regular_seen_ = true;
  const FieldName id = intern(name);
  if (const std::string_view rule = broken_rule(id, name, value); !rule.empty()) {
    return refuse(refusal_of(rule));
  }
  if (bytes_ > limits_.max_total || interim_bytes_ + bytes_ > kInterimHeads * limits_.max_total) {
    return refuse(Refusal::head_too_large);
  }
  if (name.size() + value.size() > limits_.max_line) return refuse(Refusal::line_too_long);
  if (++count_ > limits_.max_fields) return refuse(Refusal::too_many_fields);
  Field field{.id = id, .name = name, .value = value};
  if (id == FieldName::other && is_framing_alias(field)) return refuse(Refusal::framing_alias);
  base::Arena& arena = head_->fields.arena();
  field.name = id == FieldName::other ? arena.copy(name) : text_of(id);
  field.value = arena.copy(value);
  if (!head_->fields.add(field)) refuse(Refusal::too_many_fields);
}

void ResponseFields::finish(bool end_stream) {
  if (!sound()) return;
  if (!has_status_) return refuse(Refusal::pseudo_header, "a response without :status");
  if (interim_bytes_ + bytes_ > kInterimHeads * limits_.max_total) {
    return refuse(Refusal::head_too_large);
  }
  head_->version = Version::http_2;
  head_->keep_alive = true;
  if (head_->is_interim() && end_stream) {
    return refuse(Refusal::pseudo_header, "the stream ended with an interim response");
  }
  read_framing(end_stream);
}

// RFC 9110 §8.6, RFC 9113 §8.1.1. Without a Content-Length the body ends with the stream.
void ResponseFields::read_framing(bool end_stream) {
  head_->body = {};
  const Field* field = head_->fields.find(FieldName::content_length);
  if (head_->fields.count(FieldName::content_length) > 1) {
    return refuse(Refusal::duplicate_content_length);
  }
  std::optional<std::uint64_t> length;
  if (field != nullptr) {
    std::uint64_t value = 0;
    if (const Refusal refusal = parse_content_length(field->value, value);
        refusal != Refusal::none) {
      return refuse(refusal);
    }
    length = value;
  }
  if (method_ == Method::connect && head_->status / 100 == 2) return;  // a tunnel: RFC 9110 §9.3.6
  if (head_->status < 200 || head_->status == 204) {
    if (length.value_or(0) > 0) return refuse(Refusal::content_length_not_allowed);
    if (head_->status == 204) data_length_ = 0;
    return;
  }
  if (method_ == Method::head || head_->status == 304) {
    data_length_ = 0;
    return;
  }
  if (end_stream) {
    if (length.value_or(0) > 0) refuse(Refusal::body_length_mismatch);
    return;
  }
  data_length_ = length;
  if (!length) {
    head_->body.kind = BodyFraming::Kind::chunked;
  } else if (*length > 0) {
    head_->body = {.kind = BodyFraming::Kind::length, .length = *length};
  }
}

}  // namespace http::h2
