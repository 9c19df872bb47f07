// Method and Version: the two closed vocabularies of a request line.
#pragma once

#include <cstdint>
#include <string_view>

namespace http {

/// `other` stands for every method without a name here; RequestHead::method_text has its text.
/// The order is that of the table in method.cc.
enum class Method : std::uint8_t {
  other,
  get,
  head,
  post,
  put,
  del,
  options,
  patch,
  trace,
  connect,
  mkcol,
  copy,
  move,
  propfind,
  proppatch,
  lock,
  unlock,
};

/// Case-sensitive (RFC 9110 §9.1).
[[nodiscard]] Method parse_method(std::string_view text) noexcept;
/// "GET"; empty for `other`.
[[nodiscard]] std::string_view text_of(Method method) noexcept;
/// RFC 9110 §9.2.1: GET, HEAD, OPTIONS, TRACE, PROPFIND.
[[nodiscard]] bool is_safe(Method method) noexcept;
/// RFC 9110 §9.2.2: the safe ones, PUT, DELETE and WebDAV's idempotent ones. What may be sent
/// again.
[[nodiscard]] bool is_idempotent(Method method) noexcept;

enum class Version : std::uint8_t { http_1_0, http_1_1, http_2, http_3 };

/// "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0": nginx's $server_protocol.
[[nodiscard]] std::string_view text_of(Version version) noexcept;

}  // namespace http
