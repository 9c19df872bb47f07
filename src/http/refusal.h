// Refusal: why a message was not accepted. One value for each rule, so that a counter, a log line
// and a test can name it. A codec refuses what is ambiguous and never repairs it (threats.md #5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace http {

// clang-format off
// name, status toward the client, sentence
#define SALLYPORT_REFUSALS(X)                                                                            \
  X(bare_lf, 400, "a line ends with LF alone")                                                           \
  X(bare_cr, 400, "a CR is not followed by LF")                                                          \
  X(nul, 400, "a NUL byte in the head")                                                                  \
  X(control_byte, 400, "a control byte in the head")                                                     \
  X(leading_empty_lines, 400, "too many empty lines before the request line")                            \
  X(uri_too_long, 414, "the request line is longer than the limit")                                      \
  X(line_too_long, 431, "a header line is longer than the limit")                                        \
  X(too_many_fields, 431, "more header fields than the limit")                                           \
  X(head_too_large, 431, "the head is larger than the limit")                                            \
  X(invalid_request_line, 400, "the request line has no target")                                         \
  X(http09, 400, "the request line has no version: HTTP/0.9 is not spoken")                              \
  X(invalid_method, 400, "the method is not made of upper case letters, '-' and '_'")                    \
  X(invalid_target, 400, "the request target is not a valid path or http URI")                           \
  X(invalid_version, 400, "the protocol version is malformed")                                           \
  X(unsupported_version, 505, "the protocol version is neither HTTP/1.0 nor HTTP/1.1")                   \
  X(connect, 405, "CONNECT is not served")                                                               \
  X(obs_fold, 400, "a header line begins with white space (obsolete line folding)")                      \
  X(missing_colon, 400, "a header line has no colon")                                                    \
  X(space_before_colon, 400, "white space between a header name and its colon")                          \
  X(empty_name, 400, "a header name is empty")                                                           \
  X(invalid_name, 400, "a header name has a character that is not allowed there")                        \
  X(invalid_value, 400, "a header value has a character that is not allowed there")                      \
  X(framing_alias, 400, "a header name that backends may mistake for Content-Length or Transfer-Encoding") \
  X(missing_host, 400, "an HTTP/1.1 request without Host")                                               \
  X(duplicate_host, 400, "more than one Host")                                                           \
  X(invalid_host, 400, "the host is not a valid name or address")                                        \
  X(host_mismatch, 400, "Host names another host than :authority")                                       \
  X(content_length_with_transfer_encoding, 400, "Content-Length together with Transfer-Encoding")        \
  X(duplicate_content_length, 400, "more than one Content-Length")                                       \
  X(invalid_content_length, 400, "Content-Length is not a decimal number below 2^63")                    \
  X(content_length_not_allowed, 400, "a Content-Length in a response that has no body")                  \
  X(duplicate_transfer_encoding, 400, "more than one Transfer-Encoding")                                 \
  X(transfer_encoding_not_chunked, 400, "the final transfer coding is not chunked")                      \
  X(transfer_encoding_chunked_twice, 400, "chunked is applied twice")                                    \
  X(transfer_encoding_unknown, 501, "a transfer coding besides chunked")                                 \
  X(transfer_encoding_in_http10, 400, "Transfer-Encoding in an HTTP/1.0 message")                        \
  X(transfer_encoding_not_allowed, 400, "Transfer-Encoding in a response that has no body")              \
  X(invalid_status_line, 400, "the status line is malformed")                                            \
  X(invalid_status, 400, "the status code is not between 100 and 599")                                   \
  X(chunk_size_invalid, 400, "a chunk size is not a hexadecimal number followed by CRLF or ';'")         \
  X(chunk_size_overflow, 400, "a chunk size has more than 16 digits or exceeds 2^63-1")                  \
  X(chunk_extension_invalid, 400, "a chunk extension has a control byte or a bare CR or LF")             \
  X(chunk_extension_too_long, 400, "chunk extensions are longer than the limit")                         \
  X(chunk_end_missing, 400, "chunk data is not followed by CRLF")                                        \
  X(trailer_too_large, 431, "the trailer section is larger than the limit")                              \
  X(trailer_too_many_fields, 431, "more trailer fields than the limit")                                  \
  X(trailer_invalid, 400, "a trailer line is malformed")                                                 \
  X(trailer_forbidden, 400, "a framing or routing field in the trailer section")                         \
  X(connection_field, 400, "a field of HTTP/1 connections in an HTTP/2 message")                         \
  X(pseudo_header, 400, "a pseudo-header field is missing, unknown, doubled or late")                    \
  X(body_length_mismatch, 400, "the body has another length than Content-Length says")
// clang-format on

enum class Refusal : std::uint8_t {
  none,
#define SALLYPORT_REFUSAL(name, status, sentence) name,
  SALLYPORT_REFUSALS(SALLYPORT_REFUSAL)
#undef SALLYPORT_REFUSAL
};

#define SALLYPORT_REFUSAL(name, status, sentence) +1
/// For arrays of counters: every Refusal is below it.
inline constexpr std::size_t kRefusalCount = 1 SALLYPORT_REFUSALS(SALLYPORT_REFUSAL);
#undef SALLYPORT_REFUSAL

/// The answer to a client whose request was refused; a refused response is always a 502. Close
/// after.
[[nodiscard]] unsigned status_of(Refusal refusal) noexcept;
/// "duplicate_host", for counters.
[[nodiscard]] std::string_view name_of(Refusal refusal) noexcept;
/// A sentence for the log.
[[nodiscard]] std::string_view explain(Refusal refusal) noexcept;

}  // namespace http
