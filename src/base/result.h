// Result<T> and Error: how the world's failures travel. An Error is a small value (no allocation):
// what happened, on whose side, whether trying again is safe, and a few constant words of context.
//
// The codes are coarse on purpose: they decide what the program does (close, answer 502, retry).
// What a person reads is made where the peers' names are known, from `context` and `os_error`.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace base {

enum class ErrorCode : std::uint8_t {
  internal,        // a library failed in a way that has no name here
  cancelled,       // the Scope was asked to stop
  timed_out,       // a Deadline passed
  would_block,     // a try_ operation has nothing now; never leaves the io floor
  end_of_stream,   // the peer closed where more was expected
  reset,           // the connection was reset or aborted by the peer
  refused,         // nobody listens there
  unreachable,     // no route, no such Unix socket, address not available
  not_found,       // a file or a name that does not exist
  not_permitted,   // the kernel or a file's mode forbids it
  exhausted,       // descriptors, memory, ports or a configured limit are used up
  protocol,        // the peer broke its protocol's rules
  too_large,       // a limit on size was passed
  tls,             // a handshake or a record failed
  untrusted,       // a certificate or a name was not verified
  unavailable,     // no endpoint may be tried at the moment
  invalid,         // a text or a value that cannot be used
};

enum class ErrorSource : std::uint8_t { internal, downstream, upstream };

/// May the operation be repeated? `if_reused`: only if the connection it used had served before,
/// since then the peer may have closed it for idleness without seeing the request.
enum class Retry : std::uint8_t { no, yes, if_reused };

struct Error {
  ErrorCode code = ErrorCode::internal;
  ErrorSource source = ErrorSource::internal;
  Retry retry = Retry::no;
  int os_error = 0;           // errno, 0 if the kernel was not involved
  std::string_view context = {};  // words of static lifetime: "reading the status line"

  [[nodiscard]] bool is(ErrorCode other) const noexcept { return code == other; }
  [[nodiscard]] Error from(ErrorSource origin) const noexcept {
    Error copy = *this;
    copy.source = origin;
    return copy;
  }
  [[nodiscard]] Error during(std::string_view words) const noexcept {
    Error copy = *this;
    copy.context = words;
    return copy;
  }
};

template <class T>
using Result = std::expected<T, Error>;

/// "timed_out", "reset", ...: the code as a word, for logs and counters.
[[nodiscard]] std::string_view name_of(ErrorCode code) noexcept;

/// A sentence for people: the context, the code's meaning and errno's text, in nginx's form
/// "CONTEXT (111: Connection refused)" where errno is known.
[[nodiscard]] std::string describe(const Error& error);

/// The Error that corresponds to an errno, e.g. ECONNREFUSED -> refused.
[[nodiscard]] Error error_from_errno(int os_error, std::string_view context = {}) noexcept;

/// Neither the process nor the machine had a descriptor left: it may have one later.
[[nodiscard]] bool is_descriptor_shortage(const Error& error) noexcept;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string_view context = {}) {
  return std::unexpected(Error{.code = code, .context = context});
}
[[nodiscard]] inline std::unexpected<Error> fail(const Error& error) {
  return std::unexpected(error);
}

}  // namespace base

#define SALLYPORT_JOIN2(a, b) a##b
#define SALLYPORT_JOIN(a, b) SALLYPORT_JOIN2(a, b)

// TRY(auto head, parse_head(bytes));   returns the error to the caller, else declares `head`.
// TRY_VOID(check(bytes));              the same for Result<void>.
// CO_TRY, CO_TRY_VOID                  the same inside a coroutine.
#define SALLYPORT_TRY(keyword, name, declaration, ...) \
  auto name = (__VA_ARGS__);                           \
  if (!name) [[unlikely]]                              \
    keyword std::unexpected(std::move(name).error());  \
  declaration = *std::move(name)
#define SALLYPORT_TRY_VOID(keyword, ...)                                       \
  do {                                                                         \
    if (auto sallyport_result = (__VA_ARGS__); !sallyport_result) [[unlikely]] \
      keyword std::unexpected(std::move(sallyport_result).error());            \
  } while (false)

#define TRY(declaration, ...) \
  SALLYPORT_TRY(return, SALLYPORT_JOIN(try_result_, __COUNTER__), declaration, __VA_ARGS__)
#define CO_TRY(declaration, ...) \
  SALLYPORT_TRY(co_return, SALLYPORT_JOIN(try_result_, __COUNTER__), declaration, __VA_ARGS__)
#define TRY_VOID(...) SALLYPORT_TRY_VOID(return, __VA_ARGS__)
#define CO_TRY_VOID(...) SALLYPORT_TRY_VOID(co_return, __VA_ARGS__)
