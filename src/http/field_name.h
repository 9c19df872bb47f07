// FieldName: the header names that the program knows, as small integers, so that code compares
// numbers and not text. Names are interned once, while a head is scanned.
//
// The list is an X macro because three things must agree: the enumerators, their text and the hash
// table in field_name.cc, which is made (and shown free of collisions) by the compiler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// clang-format off
#define SALLYPORT_FIELD_NAMES(X)                              \
  X(accept, "Accept")                                         \
  X(accept_charset, "Accept-Charset")                         \
  X(accept_encoding, "Accept-Encoding")                       \
  X(accept_language, "Accept-Language")                       \
  X(accept_ranges, "Accept-Ranges")                           \
  X(age, "Age")                                               \
  X(allow, "Allow")                                           \
  X(alt_svc, "Alt-Svc")                                       \
  X(authorization, "Authorization")                           \
  X(cache_control, "Cache-Control")                           \
  X(connection, "Connection")                                 \
  X(content_disposition, "Content-Disposition")               \
  X(content_encoding, "Content-Encoding")                     \
  X(content_language, "Content-Language")                     \
  X(content_length, "Content-Length")                         \
  X(content_location, "Content-Location")                     \
  X(content_range, "Content-Range")                           \
  X(content_type, "Content-Type")                             \
  X(cookie, "Cookie")                                         \
  X(date, "Date")                                             \
  X(depth, "Depth")                                           \
  X(destination, "Destination")                               \
  X(early_data, "Early-Data")                                 \
  X(etag, "ETag")                                             \
  X(expect, "Expect")                                         \
  X(expires, "Expires")                                       \
  X(forwarded, "Forwarded")                                   \
  X(host, "Host")                                             \
  X(http2_settings, "HTTP2-Settings")                         \
  X(if_match, "If-Match")                                     \
  X(if_modified_since, "If-Modified-Since")                   \
  X(if_none_match, "If-None-Match")                           \
  X(if_range, "If-Range")                                     \
  X(if_unmodified_since, "If-Unmodified-Since")               \
  X(keep_alive, "Keep-Alive")                                 \
  X(last_modified, "Last-Modified")                           \
  X(link, "Link")                                             \
  X(location, "Location")                                     \
  X(max_forwards, "Max-Forwards")                             \
  X(origin, "Origin")                                         \
  X(overwrite, "Overwrite")                                   \
  X(pragma, "Pragma")                                         \
  X(priority, "Priority")                                     \
  X(proxy, "Proxy")                                           \
  X(proxy_authenticate, "Proxy-Authenticate")                 \
  X(proxy_authorization, "Proxy-Authorization")               \
  X(proxy_connection, "Proxy-Connection")                     \
  X(range, "Range")                                           \
  X(referer, "Referer")                                       \
  X(refresh, "Refresh")                                       \
  X(retry_after, "Retry-After")                               \
  X(sec_fetch_dest, "Sec-Fetch-Dest")                         \
  X(sec_fetch_mode, "Sec-Fetch-Mode")                         \
  X(sec_fetch_site, "Sec-Fetch-Site")                         \
  X(sec_websocket_accept, "Sec-WebSocket-Accept")             \
  X(sec_websocket_extensions, "Sec-WebSocket-Extensions")     \
  X(sec_websocket_key, "Sec-WebSocket-Key")                   \
  X(sec_websocket_protocol, "Sec-WebSocket-Protocol")         \
  X(sec_websocket_version, "Sec-WebSocket-Version")           \
  X(server, "Server")                                         \
  X(set_cookie, "Set-Cookie")                                 \
  X(status, "Status")                                         \
  X(strict_transport_security, "Strict-Transport-Security")   \
  X(te, "TE")                                                 \
  X(trailer, "Trailer")                                       \
  X(transfer_encoding, "Transfer-Encoding")                   \
  X(upgrade, "Upgrade")                                       \
  X(upgrade_insecure_requests, "Upgrade-Insecure-Requests")   \
  X(user_agent, "User-Agent")                                 \
  X(vary, "Vary")                                             \
  X(via, "Via")                                               \
  X(www_authenticate, "WWW-Authenticate")                     \
  X(x_accel_buffering, "X-Accel-Buffering")                   \
  X(x_accel_charset, "X-Accel-Charset")                       \
  X(x_accel_expires, "X-Accel-Expires")                       \
  X(x_accel_limit_rate, "X-Accel-Limit-Rate")                 \
  X(x_accel_redirect, "X-Accel-Redirect")                     \
  X(x_forwarded_for, "X-Forwarded-For")                       \
  X(x_forwarded_host, "X-Forwarded-Host")                     \
  X(x_forwarded_port, "X-Forwarded-Port")                     \
  X(x_forwarded_prefix, "X-Forwarded-Prefix")                 \
  X(x_forwarded_proto, "X-Forwarded-Proto")                   \
  X(x_forwarded_server, "X-Forwarded-Server")                 \
  X(x_powered_by, "X-Powered-By")                             \
  X(x_real_ip, "X-Real-IP")                                   \
  X(x_request_id, "X-Request-ID")
// clang-format on

namespace http {

enum class FieldName : std::uint8_t {
  other,  // not in the list
#define SALLYPORT_FIELD_NAME(id, text) id,
  SALLYPORT_FIELD_NAMES(SALLYPORT_FIELD_NAME)
#undef SALLYPORT_FIELD_NAME
};

#define SALLYPORT_FIELD_NAME(id, text) +1
inline constexpr std::size_t kFieldNameCount = 1 SALLYPORT_FIELD_NAMES(SALLYPORT_FIELD_NAME);
#undef SALLYPORT_FIELD_NAME

/// The number of a name in any letter case, `other` if it is not in the list. One hash, one
/// compare.
[[nodiscard]] FieldName intern(std::string_view name) noexcept;
/// The same after '_' and '.' are read as '-': the name that CGI, WSGI and their kind would see.
[[nodiscard]] FieldName intern_folded(std::string_view name) noexcept;
/// In its usual spelling; empty for `other`.
[[nodiscard]] std::string_view text_of(FieldName name) noexcept;

/// Equal in any letter case, with '_', '.' and '-' taken as one character: backends that make
/// environment variables of header names can't tell them apart.
[[nodiscard]] bool equal_folded(std::string_view a, std::string_view b) noexcept;

/// Belongs to one connection and is never forwarded (RFC 9110 §7.6.1), whether or not Connection
/// names it: Connection, Keep-Alive, Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade,
/// HTTP2-Settings.
[[nodiscard]] bool is_hop_by_hop(FieldName name) noexcept;

/// RFC 9110 §6.5.1. Framing and routing fields in a trailer section are an attack: `refuse`. Those
/// that steer, authenticate or describe content must not be merged late: `drop`.
enum class TrailerUse : std::uint8_t { keep, drop, refuse };
[[nodiscard]] TrailerUse trailer_use(FieldName name) noexcept;

}  // namespace http
