// KeyLog: the secrets of handshakes in the format that Wireshark reads (NSS key log, one line a
// secret): ssl_key_log. Whoever has the file reads the connections; it is for debugging.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "base/fd.h"

namespace tls {

class KeyLog {
 public:
  /// `file`: opened for appending, so that lines of several workers do not mix.
  explicit KeyLog(base::Fd file) noexcept : file_(std::move(file)) {}

  /// Thread-safe. A line that cannot be written is lost: nothing else depends on it.
  void write(std::string_view line) const noexcept;

 private:
  base::Fd file_;
};
using KeyLogPtr = std::shared_ptr<const KeyLog>;

}  // namespace tls
