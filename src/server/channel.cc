#include "server/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace server {
namespace {

using base::ErrorCode;

constexpr std::size_t kBatch = 250;  // SCM_MAX_FD is 253
constexpr char kBatchMark = 'F';

struct FrameHead {
  std::uint32_t type;
  std::uint32_t descriptors;
  std::uint64_t payload_size;
};

/// Room for SCM_RIGHTS, aligned as CMSG_* wants it.
struct alignas(cmsghdr) ControlBuffer {
  std::array<char, CMSG_SPACE(sizeof(int) * kBatch)> bytes{};
};

void attach(msghdr& message, ControlBuffer& control, std::span<const int> descriptors) {
  message.msg_control = control.bytes.data();
  message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
  std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
}

/// Takes ownership of what came, wanted or not; returns how many.
std::size_t take_descriptors(msghdr& message, std::vector<base::Fd>& into) {
  std::size_t count = 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::array<int, kBatch> received{};
    const std::size_t size = std::min<std::size_t>(header->cmsg_len - CMSG_LEN(0), sizeof received);
    std::memcpy(received.data(), CMSG_DATA(header), size);
    for (const int fd : std::span(received).first(size / sizeof(int))) {
      into.emplace_back(fd);
      ++count;
    }
  }
  return count;
}

}  // namespace

base::Result<std::pair<Channel, Channel>> Channel::make_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return base::fail(base::error_from_errno(errno, "socketpair() failed"));
  }
  return std::pair(Channel(base::Fd(ends[0])), Channel(base::Fd(ends[1])));
}

base::Result<void> Channel::wait(short events, base::Deadline deadline) {
  while (true) {
    int timeout = -1;
    if (deadline != base::kNoDeadline) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return base::fail(ErrorCode::timed_out);
      timeout = static_cast<int>(std::min<std::int64_t>(left.count(), 3'600'000));
    }
    pollfd entry{.fd = socket_.get(), .events = events, .revents = 0};
    const int ready = ::poll(&entry, 1, timeout);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR)
      return base::fail(base::error_from_errno(errno, "poll() failed"));
  }
}

base::Result<void> Channel::send_bytes(std::string_view bytes, std::span<const int> attached,
                                       base::Deadline deadline) {
  while (!bytes.empty()) {
    iovec piece{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    ControlBuffer control;
    if (!attached.empty()) attach(message, control, attached);
    const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      attached = {};
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return base::fail(base::error_from_errno(errno, "sendmsg() failed"));
    TRY_VOID(wait(POLLOUT, deadline));
  }
  return {};
}

base::Result<void> Channel::send(std::uint32_t type, std::string_view payload,
                                 std::span<const int> descriptors, base::Deadline deadline) {
  const FrameHead head{.type = type,
                       .descriptors = static_cast<std::uint32_t>(descriptors.size()),
                       .payload_size = payload.size()};
  std::array<char, sizeof head> bytes{};
  std::memcpy(bytes.data(), &head, sizeof head);
  TRY_VOID(send_bytes({bytes.data(), bytes.size()}, {}, deadline));
  TRY_VOID(send_bytes(payload, {}, deadline));
  while (!descriptors.empty()) {
    const std::size_t count = std::min(descriptors.size(), kBatch);
    TRY_VOID(send_bytes({&kBatchMark, 1}, descriptors.first(count), deadline));
    descriptors = descriptors.subspan(count);
  }
  return {};
}

base::Result<void> Channel::receive_bytes(std::span<char> into, std::size_t expected,
                                          std::vector<base::Fd>& descriptors,
                                          base::Deadline deadline) {
  std::size_t came = 0;
  while (!into.empty()) {
    iovec piece{.iov_base = into.data(), .iov_len = into.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    ControlBuffer control;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return base::fail(base::error_from_errno(errno, "recvmsg() failed"));
      TRY_VOID(wait(POLLIN, deadline));
      continue;
    }
    came += take_descriptors(message, descriptors);
    if (got == 0) return base::fail(ErrorCode::end_of_stream);
    if ((message.msg_flags & MSG_CTRUNC) != 0 || came > expected) {
      return base::fail(ErrorCode::protocol, "descriptors that were not announced");
    }
    into = into.subspan(static_cast<std::size_t>(got));
  }
  if (came != expected) return base::fail(ErrorCode::protocol, "announced descriptors are missing");
  return {};
}

base::Result<Message> Channel::receive(MessageLimits limits, base::Deadline deadline) {
  Message message;
  FrameHead head{};
  std::array<char, sizeof head> bytes{};
  TRY_VOID(receive_bytes(bytes, 0, message.descriptors, deadline));
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.payload_size > limits.payload || head.descriptors > limits.descriptors) {
    return base::fail(ErrorCode::too_large, "a message between processes");
  }
  message.type = head.type;
  // Grown as the bytes come: a size that is only claimed costs nothing.
  constexpr std::size_t kStep = std::size_t{1} << 20;
  while (message.payload.size() < head.payload_size) {
    const std::size_t old = message.payload.size();
    const std::size_t step = std::min<std::size_t>(head.payload_size - old, kStep);
    message.payload.resize(old + step);
    TRY_VOID(
        receive_bytes(std::span(message.payload).subspan(old), 0, message.descriptors, deadline));
  }
  while (message.descriptors.size() < head.descriptors) {
    const std::size_t count =
        std::min<std::size_t>(head.descriptors - message.descriptors.size(), kBatch);
    std::array<char, 1> mark{};
    TRY_VOID(receive_bytes(mark, count, message.descriptors, deadline));
    if (mark[0] != kBatchMark) return base::fail(ErrorCode::protocol, "a batch without its mark");
  }
  return message;
}

}  // namespace server
