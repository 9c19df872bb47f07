#include "base/result.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace base {

std::string_view name_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::internal: return "internal";
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::timed_out: return "timed_out";
    case ErrorCode::would_block: return "would_block";
    case ErrorCode::end_of_stream: return "end_of_stream";
    case ErrorCode::reset: return "reset";
    case ErrorCode::refused: return "refused";
    case ErrorCode::unreachable: return "unreachable";
    case ErrorCode::not_found: return "not_found";
    case ErrorCode::not_permitted: return "not_permitted";
    case ErrorCode::exhausted: return "exhausted";
    case ErrorCode::protocol: return "protocol";
    case ErrorCode::too_large: return "too_large";
    case ErrorCode::tls: return "tls";
    case ErrorCode::untrusted: return "untrusted";
    case ErrorCode::unavailable: return "unavailable";
    case ErrorCode::invalid: return "invalid";
  }
  return "unknown";
}

namespace {

std::string_view meaning_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::internal: return "internal error";
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::timed_out: return "timed out";
    case ErrorCode::would_block: return "not ready";
    case ErrorCode::end_of_stream: return "closed prematurely";
    case ErrorCode::reset: return "connection reset by peer";
    case ErrorCode::refused: return "connection refused";
    case ErrorCode::unreachable: return "unreachable";
    case ErrorCode::not_found: return "not found";
    case ErrorCode::not_permitted: return "not permitted";
    case ErrorCode::exhausted: return "a limit or a resource is used up";
    case ErrorCode::protocol: return "protocol violated";
    case ErrorCode::too_large: return "too large";
    case ErrorCode::tls: return "TLS failed";
    case ErrorCode::untrusted: return "verification failed";
    case ErrorCode::unavailable: return "none available";
    case ErrorCode::invalid: return "invalid";
  }
  return "unknown";
}

}  // namespace

std::string describe(const Error& error) {
  if (error.os_error != 0) {
    char text[128];
    const char* words = ::strerror_r(error.os_error, text, sizeof text);
    if (error.context.empty()) return fmt::format("({}: {})", error.os_error, words);
    return fmt::format("{} ({}: {})", error.context, error.os_error, words);
  }
  if (error.context.empty()) return std::string(meaning_of(error.code));
  return fmt::format("{} ({})", error.context, meaning_of(error.code));
}

Error error_from_errno(int os_error, std::string_view context) noexcept {
  ErrorCode code = ErrorCode::internal;
  switch (os_error) {
    case EAGAIN: code = ErrorCode::would_block; break;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE: code = ErrorCode::reset; break;
    case ECONNREFUSED: code = ErrorCode::refused; break;
    case ETIMEDOUT: code = ErrorCode::timed_out; break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case ENETDOWN: code = ErrorCode::unreachable; break;
    case ENOENT:
    case ENOTDIR: code = ErrorCode::not_found; break;
    case EACCES:
    case EPERM: code = ErrorCode::not_permitted; break;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC: code = ErrorCode::exhausted; break;
    case EINVAL:
    case ENAMETOOLONG: code = ErrorCode::invalid; break;
    default: break;
  }
  return Error{.code = code, .os_error = os_error, .context = context};
}

bool is_descriptor_shortage(const Error& error) noexcept {
  return error.os_error == EMFILE || error.os_error == ENFILE;
}

}  // namespace base
