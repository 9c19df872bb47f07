// MemoryLog: the newest lines of `error_log memory:SIZE`, in a ring of bytes. One for each process,
// so that a reload loses none: every such directive writes there, and the largest SIZE counts. It
// is asked for by `sallyport errors`; a process that dies takes its lines along.
//
//   ring_   [ ...newest line\n | rest of an old one\n older\n ...  newer\n ]
//                              ^ at_: the next byte goes here
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace observe {

class MemoryLog {
 public:
  static constexpr std::size_t kSmallest = std::size_t{8} << 10;  // nginx's: two pages
  static constexpr std::size_t kLargest = std::size_t{1} << 30;

  /// Lives as long as the process.
  [[nodiscard]] static MemoryLog& of_process();

  /// From any thread. `line` ends with a line feed; `size` >= the line, kSmallest at least.
  void append(std::string_view line, std::size_t size);
  /// Whole lines, the oldest first; the newest ones, where there are more than `most` bytes.
  [[nodiscard]] std::string text(std::size_t most = kLargest) const;
  /// Whether anything was written.
  [[nodiscard]] bool is_used() const;

 private:
  [[nodiscard]] std::string all() const;
  void put(std::string_view bytes);

  mutable std::mutex mutex_;
  std::unique_ptr<char[]> ring_;  // pages that are not written are not there
  std::size_t size_ = 0;
  std::size_t at_ = 0;
  bool is_full_ = false;  // what follows at_ is older
};

}  // namespace observe
