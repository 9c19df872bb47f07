#include "http/method.h"

#include <array>
#include <cstddef>

namespace http {

namespace {
constexpr std::array<std::string_view, 17> kMethods = {
    "",        "GET",   "HEAD", "POST", "PUT",      "DELETE",    "OPTIONS", "PATCH", "TRACE",
    "CONNECT", "MKCOL", "COPY", "MOVE", "PROPFIND", "PROPPATCH", "LOCK",    "UNLOCK"};
static_assert(kMethods[static_cast<std::size_t>(Method::unlock)] == "UNLOCK");
}  // namespace

Method parse_method(std::string_view text) noexcept {
  if (text == "GET") return Method::get;
  for (std::size_t i = 1; i < kMethods.size(); ++i) {
    if (kMethods[i] == text) return static_cast<Method>(i);
  }
  return Method::other;
}

std::string_view text_of(Method method) noexcept {
  return kMethods[static_cast<std::size_t>(method)];
}

bool is_safe(Method method) noexcept {
  switch (method) {
    case Method::get:
    case Method::head:
    case Method::options:
    case Method::trace:
    case Method::propfind: return true;
    default: return false;
  }
}

bool is_idempotent(Method method) noexcept {
  switch (method) {
    case Method::put:
    case Method::del:
    case Method::mkcol:
    case Method::copy:
    case Method::move:
    case Method::proppatch:
    case Method::unlock: return true;
    default: return is_safe(method);
  }
}

std::string_view text_of(Version version) noexcept {
  constexpr std::array<std::string_view, 4> kVersions = {"HTTP/1.0", "HTTP/1.1", "HTTP/2.0",
                                                         "HTTP/3.0"};
  return kVersions[static_cast<std::size_t>(version)];
}

}  // namespace http
