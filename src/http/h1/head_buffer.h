// serialise: a message head into a pooled buffer, grown until it fits.
#pragma once

#include <string_view>

#include "base/result.h"
#include "http/h1/head_writer.h"
#include "io/buffer.h"

namespace http::h1 {

inline constexpr std::size_t kMaxOwnHead = 256 * 1024;  // of our own making; more is a mistake

/// `write(HeadWriter&)` writes the whole head, and is called again when the buffer was too small.
/// The view is into `buffer`. Errors: invalid (a byte that is not allowed), too_large.
template <class Write>
[[nodiscard]] base::Result<std::string_view> serialise(io::Buffer& buffer, Write write) {
  buffer.grow(io::Buffer::kSmall);
  while (true) {
    buffer.clear();
    HeadWriter writer(buffer.writable());
    write(writer);
    switch (writer.verdict()) {
      case HeadWriter::Verdict::ok: return writer.written();
      case HeadWriter::Verdict::unsafe:
        return base::fail(base::ErrorCode::invalid, "a header has a byte that is not allowed");
      case HeadWriter::Verdict::overflow: break;
    }
    if (writer.needed() > kMaxOwnHead) {
      return base::fail(base::ErrorCode::too_large, "the header to be sent is too large");
    }
    buffer.grow(writer.needed());
  }
}

}  // namespace http::h1
