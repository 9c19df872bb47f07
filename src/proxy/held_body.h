// HeldBody: a request's body received whole before a backend is asked (proxy_request_buffering on),
// so that slow clients cost backends nothing and an attempt can be repeated. The first bytes stay
// in memory, a longer body goes to a file without a name, which the kernel removes by itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/fd.h"
#include "base/result.h"
#include "io/buffer.h"
#include "proxy/request_body.h"

namespace proxy {

class HeldBody {
 public:
  /// Bytes beyond `in_memory` (client_body_buffer_size) go to a file in `directory`.
  HeldBody(const std::string& directory, std::uint64_t in_memory) noexcept
      : directory_(directory), max_in_memory_(in_memory) {}

  /// Reads `body` to its end. Errors are the body's, or the file's (source internal).
  [[nodiscard]] async::Task<base::Result<void>> hold(RequestBody& body);

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] bool in_memory() const noexcept { return !file_; }
  /// The whole, while it is in memory.
  [[nodiscard]] std::string_view text() const noexcept { return memory_.readable(); }
  /// The piece that begins at `offset`, empty at the end. Valid until the next call.
  [[nodiscard]] base::Result<std::string_view> piece_at(std::uint64_t offset);

 private:
  [[nodiscard]] base::Result<void> append(std::string_view piece);
  [[nodiscard]] base::Result<void> write_to_file(std::string_view text);

  const std::string& directory_;
  std::uint64_t max_in_memory_;
  io::Buffer memory_;
  base::Fd file_;
  std::uint64_t size_ = 0;
};

}  // namespace proxy
