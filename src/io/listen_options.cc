#include "io/listen_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/fd.h"

namespace io {
namespace {

// Linux 5.14; the C library's headers are older.
constexpr int kBufferLock = 72;  // SO_BUF_LOCK
constexpr int kSendLock = 1;
constexpr int kReceiveLock = 2;

struct IntegerOption {
  std::string_view name;
  int level;
  int option;
  std::string_view context;
  std::optional<int> value;
  bool for_unix = false;
  bool doubled = false;  // the kernel reports twice what was set
};

std::optional<int> seconds_of(const std::optional<std::chrono::seconds>& time) {
  return time ? std::optional(static_cast<int>(time->count())) : std::nullopt;
}

std::array<IntegerOption, 8> table(const ListenOptions& options) {
  const TcpKeepAlive alive = options.keep_alive.value_or(TcpKeepAlive{});
  const auto flag = [](bool known, bool on) {
    return known ? std::optional(on ? 1 : 0) : std::nullopt;
  };
  return {{
      {"rcvbuf", SOL_SOCKET, SO_RCVBUF, "setsockopt(SO_RCVBUF) failed", options.receive_buffer,
       true, true},
      {"sndbuf", SOL_SOCKET, SO_SNDBUF, "setsockopt(SO_SNDBUF) failed", options.send_buffer, true,
       true},
      {"so_keepalive", SOL_SOCKET, SO_KEEPALIVE, "setsockopt(SO_KEEPALIVE) failed",
       flag(options.keep_alive.has_value(), alive.on)},
      {"so_keepalive", IPPROTO_TCP, TCP_KEEPIDLE, "setsockopt(TCP_KEEPIDLE) failed",
       seconds_of(alive.idle)},
      {"so_keepalive", IPPROTO_TCP, TCP_KEEPINTVL, "setsockopt(TCP_KEEPINTVL) failed",
       seconds_of(alive.interval)},
      {"so_keepalive", IPPROTO_TCP, TCP_KEEPCNT, "setsockopt(TCP_KEEPCNT) failed", alive.count},
      // The second is for the client's first bytes; the kernel counts it in retransmissions.
      {"deferred", IPPROTO_TCP, TCP_DEFER_ACCEPT, "setsockopt(TCP_DEFER_ACCEPT) failed",
       flag(options.deferred, true)},
      {"fastopen", IPPROTO_TCP, TCP_FASTOPEN, "setsockopt(TCP_FASTOPEN) failed", options.fast_open},
  }};
}

std::optional<int> get(int socket, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(socket, level, option, &value, &size) != 0) return std::nullopt;
  return value;
}

/// A new socket's value, in the terms of setsockopt(), if the open one has another.
std::optional<int> default_to_restore(int socket, int fresh, const IntegerOption& option) {
  const auto wanted = get(fresh, option.level, option.option);
  if (!wanted || wanted == get(socket, option.level, option.option)) return std::nullopt;
  return option.doubled ? *wanted / 2 : *wanted;
}

std::vector<OptionFailure> apply(int socket, int fresh, const base::Address& address,
                                 const ListenOptions& options) {
  std::vector<OptionFailure> failures;
  for (const IntegerOption& option : table(options)) {
    if (address.is_unix() && !option.for_unix) continue;
    std::optional<int> value = option.value;
    if (!value && fresh >= 0) value = default_to_restore(socket, fresh, option);
    if (value && ::setsockopt(socket, option.level, option.option, &*value, sizeof *value) != 0) {
      failures.push_back({option.name, base::error_from_errno(errno, option.context)});
    }
  }
  return failures;
}

int protocol_of(int socket) { return get(socket, SOL_SOCKET, SO_PROTOCOL).value_or(0); }

}  // namespace

std::vector<OptionFailure> set_listen_options(int socket, const base::Address& address,
                                              const ListenOptions& options) {
  return apply(socket, -1, address, options);
}

std::vector<OptionFailure> change_listen_options(int socket, const base::Address& address,
                                                 const ListenOptions& options) {
  const base::Fd fresh(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, protocol_of(socket)));
  auto failures = apply(socket, fresh.get(), address, options);
  // A size that was set also stopped the kernel from adapting it to each connection.
  const int locks =
      (options.send_buffer ? kSendLock : 0) | (options.receive_buffer ? kReceiveLock : 0);
  static_cast<void>(::setsockopt(socket, SOL_SOCKET, kBufferLock, &locks, sizeof locks));
  if (::listen(socket, options.backlog) != 0) {
    failures.push_back({"backlog", base::error_from_errno(errno, "listen() failed")});
  }
  return failures;
}

ListenOptions keep_fixed_options(int socket, const base::Address& address, ListenOptions options) {
  if (address.is_unix()) return options;
  options.multipath = protocol_of(socket) == IPPROTO_MPTCP;
  if (address.family() == AF_INET6) {
    options.ipv6_only = get(socket, IPPROTO_IPV6, IPV6_V6ONLY).value_or(0) != 0;
  }
  return options;
}

}  // namespace io
