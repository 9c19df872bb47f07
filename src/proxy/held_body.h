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

/// always: also a body that would fit into memory. A file that is named can be found while the
/// request lasts, and one that is kept also afterwards.
struct BodyPlace {
  std::string_view directory;  // which outlives the body
  std::uint64_t in_memory = 0;  // client_body_buffer_size: what is beyond goes to a file
  bool always = false;
  bool named = false;
  bool kept = false;
};

class HeldBody {
 public:
  explicit HeldBody(BodyPlace place) noexcept : place_(place) {}
  HeldBody(const HeldBody&) = delete;
  HeldBody& operator=(const HeldBody&) = delete;
  ~HeldBody();

  /// Reads `body` to its end. Errors are the body's, or the file's (source internal).
  [[nodiscard]] async::Task<base::Result<void>> hold(RequestBody& body);

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] bool in_memory() const noexcept { return !file_; }
  /// Of the file, if it is named.
  [[nodiscard]] std::string_view file_name() const noexcept { return name_; }
  /// The whole, while it is in memory.
  [[nodiscard]] std::string_view text() const noexcept { return memory_.readable(); }
  /// The piece that begins at `offset`, empty at the end. What comes from the file is in `buffer`:
  /// several may read the body at once.
  [[nodiscard]] base::Result<std::string_view> piece_at(std::uint64_t offset,
                                                        io::Buffer& buffer) const;

 private:
  [[nodiscard]] base::Result<void> append(std::string_view piece);
  [[nodiscard]] base::Result<void> write_to_file(std::string_view text);

  [[nodiscard]] base::Result<void> open_file();

  BodyPlace place_;
  std::string name_;
  io::Buffer memory_;
  base::Fd file_;
  std::uint64_t size_ = 0;
};

}  // namespace proxy
