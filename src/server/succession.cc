#include "server/succession.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace server {
namespace {

/// Room for one descriptor, aligned as CMSG_* wants it; the kernel closes what is beyond.
struct alignas(cmsghdr) ControlBuffer {
  std::array<char, CMSG_SPACE(sizeof(int))> bytes{};
};

}  // namespace

base::Result<Succession> Succession::make() {
  std::array<int, 2> ends{};
  constexpr int kType = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (::socketpair(AF_UNIX, kType, 0, ends.data()) != 0) {
    return base::fail(base::error_from_errno(errno, "socketpair() failed"));
  }
  return Succession{.giver = base::Fd(ends[0]), .taker = base::Fd(ends[1])};
}

Given give(int giver, int connection) noexcept {
  char byte = 'C';
  iovec piece{.iov_base = &byte, .iov_len = 1};
  ControlBuffer control;
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof connection);
  std::memcpy(CMSG_DATA(header), &connection, sizeof connection);
  while (true) {
    if (::sendmsg(giver, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return Given::yes;
    if (errno == EINTR) continue;
    return errno == EAGAIN ? Given::later : Given::never;
  }
}

base::Result<base::Fd> take(int taker) noexcept {
  char byte = 0;
  iovec piece{.iov_base = &byte, .iov_len = 1};
  ControlBuffer control;
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(taker, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return base::fail(base::error_from_errno(errno, "recvmsg() failed"));
  if (got == 0) return base::fail(base::ErrorCode::end_of_stream);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int))) {
    return base::Fd();
  }
  int connection = -1;
  std::memcpy(&connection, CMSG_DATA(header), sizeof connection);
  return base::Fd(connection);
}

base::Address local_address(int socket) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return base::Address::from_native(reinterpret_cast<const sockaddr*>(&storage), size);
}

base::Address wildcard_of(const base::Address& local) noexcept {
  if (!local.is_ip()) return {};
  const std::string_view all = local.family() == AF_INET ? "0.0.0.0" : "::";
  return base::Address::from_ip(all, local.port()).value_or(base::Address());
}

}  // namespace server
