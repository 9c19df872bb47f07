// Gzip: bytes compressed at once, as a whole gzip member (RFC 1952). Members may follow one another
// in a file, so whoever appends them always has a file that can be read to its end.
#pragma once

#include <string>
#include <string_view>

namespace base {

/// `level`: 1 (fastest) to 9 (smallest). Takes some 256 KB while it runs.
[[nodiscard]] std::string gzip(std::string_view bytes, int level);

}  // namespace base
