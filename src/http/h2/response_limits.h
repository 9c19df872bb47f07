// ResponseLimits: how large the heads and trailers of a backend may be.
#pragma once

#include <cstddef>

namespace http::h2 {

/// What a backend may send, as in HTTP/1.
struct ResponseLimits {
  std::size_t max_line = 8 * 1024;    // name and value of a field
  std::size_t max_total = 32 * 1024;  // all names and values of a head; interim ones count together
  std::size_t max_fields = 100;
  std::size_t max_trailer_bytes = 4096;
  std::size_t max_trailer_fields = 32;
};

}  // namespace http::h2
