#include "http/status.h"

#include <algorithm>
#include <array>

namespace http {

namespace {

struct Status {
  unsigned code;
  std::string_view with_code;  // "404 Not Found"
};

// The words of ngx_http_header_filter_module.c; codes that nginx has no words for have the RFCs'.
constexpr auto kStatuses = std::to_array<Status>({
    {100, "100 Continue"},
    {101, "101 Switching Protocols"},
    {102, "102 Processing"},
    {103, "103 Early Hints"},
    {200, "200 OK"},
    {201, "201 Created"},
    {202, "202 Accepted"},
    {203, "203 Non-Authoritative Information"},
    {204, "204 No Content"},
    {205, "205 Reset Content"},
    {206, "206 Partial Content"},
    {207, "207 Multi-Status"},
    {300, "300 Multiple Choices"},
    {301, "301 Moved Permanently"},
    {302, "302 Moved Temporarily"},
    {303, "303 See Other"},
    {304, "304 Not Modified"},
    {307, "307 Temporary Redirect"},
    {308, "308 Permanent Redirect"},
    {400, "400 Bad Request"},
    {401, "401 Unauthorized"},
    {402, "402 Payment Required"},
    {403, "403 Forbidden"},
    {404, "404 Not Found"},
    {405, "405 Not Allowed"},
    {406, "406 Not Acceptable"},
    {407, "407 Proxy Authentication Required"},
    {408, "408 Request Time-out"},
    {409, "409 Conflict"},
    {410, "410 Gone"},
    {411, "411 Length Required"},
    {412, "412 Precondition Failed"},
    {413, "413 Request Entity Too Large"},
    {414, "414 Request-URI Too Large"},
    {415, "415 Unsupported Media Type"},
    {416, "416 Requested Range Not Satisfiable"},
    {417, "417 Expectation Failed"},
    {421, "421 Misdirected Request"},
    {422, "422 Unprocessable Content"},
    {425, "425 Too Early"},
    {426, "426 Upgrade Required"},
    {429, "429 Too Many Requests"},
    {431, "431 Request Header Fields Too Large"},
    {451, "451 Unavailable For Legal Reasons"},
    {500, "500 Internal Server Error"},
    {501, "501 Not Implemented"},
    {502, "502 Bad Gateway"},
    {503, "503 Service Temporarily Unavailable"},
    {504, "504 Gateway Time-out"},
    {505, "505 HTTP Version Not Supported"},
    {507, "507 Insufficient Storage"},
});
static_assert(std::ranges::is_sorted(kStatuses, {}, &Status::code));

std::string_view text_with_code(unsigned status) noexcept {
  const auto found = std::ranges::lower_bound(kStatuses, status, {}, &Status::code);
  return found != kStatuses.end() && found->code == status ? found->with_code : std::string_view{};
}

}  // namespace

std::string_view reason_phrase(unsigned status) noexcept {
  const std::string_view text = text_with_code(status);
  return text.empty() ? text : text.substr(4);
}

unsigned wire_status(unsigned status) noexcept {
  return status >= 494 && status <= 497 ? 400 : status;
}

std::string_view error_title(unsigned status) noexcept {
  switch (status) {
    case 302: return "302 Found";
    case 401: return "401 Authorization Required";
    case 494: return "400 Request Header Or Cookie Too Large";
    case 495: return "400 The SSL certificate error";
    case 496: return "400 No required SSL certificate was sent";
    case 497: return "400 The plain HTTP request was sent to HTTPS port";
    case 498: return "404 Not Found";  // as nginx's table has it
    case 417:  // nginx sends these without a page
    case 422:
    case 425:
    case 426:
    case 431:
    case 451: return {};
    default: return status >= 300 ? text_with_code(status) : std::string_view{};
  }
}

}  // namespace http
