// Channel: messages with descriptors between the supervisor and its children, over a socketpair.
//
//   frame:    type u32 | descriptors u32 | payload size u64 | payload | batches
//   batch:    one byte 'F' with up to 250 descriptors attached (SCM_RIGHTS; the kernel takes 253)
//
// A stream socket, not SOCK_SEQPACKET: a configuration is larger than a socket's buffer. Numbers
// are in the machine's order: both ends are the same program on the same machine. Descriptors
// travel on bytes of their own, so that each read knows how many must come with it. Neither end
// trusts the other's numbers: a receiver names its limits, and a server that breaks the protocol is
// replaced.
//
// Operations block until their deadline. The receiver of a message owns its descriptors; whatever
// came with a message that is refused is closed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace server {

struct Message {
  std::uint32_t type = 0;
  std::string payload{};
  std::vector<base::Fd> descriptors{};
};

/// What a receiver is ready to take in one message.
struct MessageLimits {
  std::size_t payload;
  std::size_t descriptors;
};

class Channel {
 public:
  explicit Channel(base::Fd socket) noexcept : socket_(std::move(socket)) {}

  /// The two ends, close-on-exec.
  [[nodiscard]] static base::Result<std::pair<Channel, Channel>> make_pair();

  /// The descriptors stay the caller's.
  [[nodiscard]] base::Result<void> send(std::uint32_t type, std::string_view payload,
                                        std::span<const int> descriptors, base::Deadline deadline);
  /// Errors: end_of_stream (the other process is gone), timed_out, too_large, protocol.
  [[nodiscard]] base::Result<Message> receive(MessageLimits limits, base::Deadline deadline);

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  void close() noexcept { socket_.close(); }

 private:
  [[nodiscard]] base::Result<void> send_bytes(std::string_view bytes, std::span<const int> attached,
                                              base::Deadline deadline);
  /// Fills `into`; exactly `expected` descriptors must come with it.
  [[nodiscard]] base::Result<void> receive_bytes(std::span<char> into, std::size_t expected,
                                                 std::vector<base::Fd>& descriptors,
                                                 base::Deadline deadline);
  [[nodiscard]] base::Result<void> wait(short events, base::Deadline deadline);

  base::Fd socket_;
};

}  // namespace server
