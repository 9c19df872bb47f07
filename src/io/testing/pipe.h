// Two connected Streams in memory, for tests: no sockets, no kernel. `capacity` bytes fit in each
// direction before the writer has to wait; `slice` bounds what one read or write moves, so that a
// test can deliver byte by byte.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "io/stream.h"

namespace io::testing {

struct PipeOptions {
  std::size_t capacity = 64 * 1024;
  std::size_t slice = 64 * 1024;
  bool sends_files = false;
};

[[nodiscard]] std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_pipe(
    EventLoop& loop, PipeOptions options = {});

}  // namespace io::testing
