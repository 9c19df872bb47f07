// ListenOptions: what the parameters of `listen` ask of a listening socket, and how they get there.
//
// Most can change while the socket listens, so a reload need not close it: a closed socket resets
// the connections that wait in it. Its kind (`multipath`) and `ipv6only` are fixed once it is
// bound. A parameter that is taken away brings back the kernel's default, which a new socket knows.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace io {

/// so_keepalive. What has no value is left to the kernel.
struct TcpKeepAlive {
  bool on = false;
  std::optional<std::chrono::seconds> idle{};
  std::optional<std::chrono::seconds> interval{};
  std::optional<int> count{};
  bool operator==(const TcpKeepAlive&) const = default;
};

struct ListenOptions {
  int backlog = 511;  // nginx's default on Linux
  bool reuse_port = false;
  bool ipv6_only = true;
  bool multipath = false;
  bool deferred = false;
  std::optional<int> fast_open{};  // connections in its queue
  std::optional<int> receive_buffer{};  // bytes; the kernel takes them twice
  std::optional<int> send_buffer{};
  std::optional<TcpKeepAlive> keep_alive{};
};

/// An option that the kernel did not take; the socket goes without it.
struct OptionFailure {
  std::string_view option;  // as `listen` names it
  base::Error error;
};

/// Before listen().
[[nodiscard]] std::vector<OptionFailure> set_listen_options(int socket,
                                                            const base::Address& address,
                                                            const ListenOptions& options);

/// While it listens: what the options leave out goes back to its default.
[[nodiscard]] std::vector<OptionFailure> change_listen_options(int socket,
                                                               const base::Address& address,
                                                               const ListenOptions& options);

/// The options, but what only a new socket can change is as the open one has it.
[[nodiscard]] ListenOptions keep_fixed_options(int socket, const base::Address& address,
                                               ListenOptions options);

}  // namespace io
