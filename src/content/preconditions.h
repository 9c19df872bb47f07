// Preconditions: whether a GET or HEAD is answered at all, given what its client has already (RFC
// 9110 §13), by nginx's rules: If-Unmodified-Since and If-Match must both hold; If-Modified-Since
// and If-None-Match must both say "not modified" for a 304, and a date says so only if it is
// exactly the file's (a date is a validator that the server once gave), unless if_modified_since
// says otherwise.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "http/fields.h"

namespace content {

/// What tells one version of a file from another. Nothing finer than a second: HTTP's dates have
/// none, and nginx's tags have none.
struct Validators {
  std::int64_t modified = 0;  // seconds since 1970
  std::string_view etag;      // with its quotes
};

/// nginx's form: "MODIFIED-SIZE" in hexadecimal, in quotes.
[[nodiscard]] std::string_view make_etag(std::int64_t modified, std::uint64_t size,
                                         base::Arena& arena);

/// How If-Modified-Since is compared with a file's time: never a 304, the very time, not earlier.
enum class ModifiedSince : std::uint8_t { off, exact, before };

enum class Precondition : std::uint8_t { holds, not_modified, failed };  // go on, 304, 412
[[nodiscard]] Precondition check_preconditions(
    const http::Fields& request, const Validators& file,
    ModifiedSince modified_since = ModifiedSince::exact) noexcept;

/// Whether the Range field counts: there is no If-Range, or it names this very version. A weak tag
/// never does (RFC 9110 §13.1.5).
[[nodiscard]] bool allows_range(const http::Fields& request, const Validators& file) noexcept;

}  // namespace content
