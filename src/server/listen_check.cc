#include "server/listen_check.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/result.h"

namespace server {
namespace {

/// Which call failed, and why.
struct Attempt {
  const char* failed = nullptr;
  int error = 0;
};

Attempt try_bind(const snapshot::ListenerSpec& spec) {
  const base::Address& address = spec.address;
  const base::Fd socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return {"socket() for", errno};
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) {
    const int only = spec.options.ipv6_only ? 1 : 0;
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  if (::bind(socket.get(), address.native(), address.native_size()) != 0) {
    return {"bind() to", errno};
  }
  if (address.is_unix()) {
    const std::string path = address.text().substr(5);
    if (!path.starts_with('@')) ::unlink(path.c_str());  // bind() has just made it
  }
  return {};
}

}  // namespace

void check_listeners(const snapshot::Snapshot& snapshot, config::Diagnostics& diagnostics) {
  for (const snapshot::ListenerSpec& spec : snapshot.listeners) {
    const Attempt attempt = try_bind(spec);
    if (attempt.failed == nullptr || attempt.error == EADDRINUSE) continue;
    const base::Error error = base::error_from_errno(attempt.error, "failed");
    diagnostics.error(
        {}, fmt::format("{} {} {}", attempt.failed, spec.address.text(), base::describe(error)));
  }
}

}  // namespace server
