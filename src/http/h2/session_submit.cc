// Messages into nghttp2: field by field, in lower case, and checked again, at the last place before
// the wire (threats.md #7).
#include <array>
#include <vector>

#include "base/text.h"
#include "http/characters.h"
#include "http/find_control.h"
#include "http/h2/field_rules.h"
#include "http/h2/nghttp2_session.h"
#include "http/h2/session.h"
#include "http/h2/stream.h"

namespace http::h2 {

namespace {

// What nghttp2 is given; it copies, but for names that are constants of ours.
class Lines {
 public:
  Lines() noexcept { lines().clear(); }

  void pseudo(std::string_view name, std::string_view value) {
    require(find_control(value, 0) == value.size());
    push(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME);
  }
  void field(const Field& field) {
    if (is_connection_specific(field.id)) return;
    // RFC 9113 §8.2.1: no blanks at the ends. In HTTP/1 they mean nothing.
    const std::string_view value = base::trim(field.value);
    require(find_control(value, 0) == value.size());
    if (field.id != FieldName::other) {
      return push(lower_text_of(field.id), value, NGHTTP2_NV_FLAG_NO_COPY_NAME);
    }
    require(is_token(field.name));
    push(field.name, value, NGHTTP2_NV_FLAG_NONE);  // nghttp2 makes the copy lower case
  }
  void fields(const Fields& all) {
    for (const Field& each : all) field(each);
  }
  void fields_but_host(const Fields& all) {
    for (const Field& each : all) {
      if (each.id != FieldName::host) field(each);
    }
  }
  void content_length(std::string_view digits) {
    if (!digits.empty()) field({FieldName::content_length, {}, digits});
  }

  [[nodiscard]] base::Result<void> verdict() const {
    if (!safe_)
      return base::fail(base::ErrorCode::invalid, "a header has a byte that is not allowed");
    return {};
  }
  [[nodiscard]] static const nghttp2_nv* data() noexcept { return lines().data(); }
  [[nodiscard]] static std::size_t size() noexcept { return lines().size(); }

 private:
  static std::vector<nghttp2_nv>& lines() {
    thread_local std::vector<nghttp2_nv> reused;
    return reused;
  }
  static std::uint8_t* bytes_of(std::string_view text) noexcept {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }
  static void push(std::string_view name, std::string_view value, std::uint8_t flags) {
    lines().push_back({.name = bytes_of(name),
                       .value = bytes_of(value),
                       .namelen = name.size(),
                       .valuelen = value.size(),
                       .flags = flags});
  }
  void require(bool safe) noexcept { safe_ = safe_ && safe; }
  bool safe_ = true;
};

std::array<char, 3> digits_of(std::uint16_t status) noexcept {
  const auto digit = [](int value) { return static_cast<char>('0' + value % 10); };
  return {digit(status / 100), digit(status / 10), digit(status)};
}

base::Result<void> result_of(int code) {
  if (code < 0) return base::fail(base::ErrorCode::reset, "the HTTP/2 stream is closed");
  return {};
}

}  // namespace

base::Result<void> Session::submit_response(Stream& stream, std::uint16_t status,
                                            const Fields& fields, std::string_view content_length,
                                            Ends ends) {
  Lines lines;
  const auto digits = digits_of(status);
  lines.pseudo(":status", {digits.data(), digits.size()});
  lines.fields(fields);
  lines.content_length(content_length);
  TRY_VOID(lines.verdict());
  const nghttp2_data_provider data = Nghttp2::data_of(stream);
  return result_of(nghttp2_submit_response(nghttp2_->session, stream.id(), Lines::data(),
                                           Lines::size(), ends == Ends::yes ? nullptr : &data));
}

base::Result<void> Session::submit_interim(Stream& stream, std::uint16_t status,
                                           const Fields& fields) {
  Lines lines;
  const auto digits = digits_of(status);
  lines.pseudo(":status", {digits.data(), digits.size()});
  lines.fields(fields);
  TRY_VOID(lines.verdict());
  return result_of(nghttp2_submit_headers(nghttp2_->session, NGHTTP2_FLAG_NONE, stream.id(),
                                          nullptr, Lines::data(), Lines::size(), nullptr));
}

base::Result<void> Session::submit_trailers(Stream& stream, const Fields& fields) {
  Lines lines;
  lines.fields(fields);
  TRY_VOID(lines.verdict());
  return result_of(
      nghttp2_submit_trailer(nghttp2_->session, stream.id(), Lines::data(), Lines::size()));
}

base::Result<std::int32_t> Session::submit_request(Stream& stream, const RequestLine& line,
                                                   const Fields& fields,
                                                   std::string_view content_length, Ends ends) {
  // As HTTP/1's request line: whoever is behind the backend may write one of it (threats.md #7).
  const auto has_blank = [](std::string_view text) {
    return text.find_first_of(" \t") != std::string_view::npos;
  };
  const bool needs_path = line.method != "CONNECT" || !line.protocol.empty();
  if (!is_token(line.method) || (needs_path && line.path.empty()) || has_blank(line.path) ||
      has_blank(line.authority) || has_blank(line.scheme)) {
    return base::fail(base::ErrorCode::invalid, "a header has a byte that is not allowed");
  }
  Lines lines;
  lines.pseudo(":method", line.method);
  if (!line.protocol.empty()) lines.pseudo(":protocol", line.protocol);
  if (!line.scheme.empty()) lines.pseudo(":scheme", line.scheme);
  if (!line.authority.empty()) lines.pseudo(":authority", line.authority);
  if (!line.path.empty()) lines.pseudo(":path", line.path);
  // RFC 9113 §8.3.1: :authority instead.
  lines.fields_but_host(fields);
  lines.content_length(content_length);
  TRY_VOID(lines.verdict());
  const nghttp2_data_provider data = Nghttp2::data_of(stream);
  const std::int32_t id =
      nghttp2_submit_request(nghttp2_->session, nullptr, Lines::data(), Lines::size(),
                             ends == Ends::yes ? nullptr : &data, &stream);
  if (id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {
    return base::fail(base::ErrorCode::exhausted, "the HTTP/2 connection has no stream left");
  }
  if (id < 0) return base::fail(base::ErrorCode::reset, "the HTTP/2 connection is closing");
  return id;
}

}  // namespace http::h2
