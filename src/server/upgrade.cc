#include "server/upgrade.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "base/text.h"
#include "server/signals.h"

namespace server {
namespace {

constexpr const char* kVariable = "SALLYPORT_SOCKETS";

bool is_listening(int fd) {
  int listening = 0;
  socklen_t size = sizeof listening;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

base::Address address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return base::Address::from_native(reinterpret_cast<const sockaddr*>(&storage), size);
}

}  // namespace

base::Result<pid_t> start_new_binary(const std::vector<std::string>& command,
                                     std::span<const ListenerSockets> listeners) {
  // Everything that allocates comes before the fork.
  std::string sockets;
  std::vector<int> descriptors;
  for (const ListenerSockets& listener : listeners) {
    for (const base::Fd& socket : listener.sockets) {
      sockets += fmt::format("{}{}", sockets.empty() ? "" : ";", socket.get());
      descriptors.push_back(socket.get());
    }
  }
  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return base::fail(base::error_from_errno(errno, "fork() failed"));
  if (child > 0) return child;
  restore_signals();
  ::setenv(kVariable, sockets.c_str(), 1);
  for (const int fd : descriptors) ::fcntl(fd, F_SETFD, 0);
  ::execvp(arguments.front(), arguments.data());
  ::_exit(127);
}

bool has_inherited_sockets() { return std::getenv(kVariable) != nullptr; }

std::vector<ListenerSockets> take_inherited_sockets() {
  std::vector<ListenerSockets> listeners;
  const char* value = std::getenv(kVariable);
  if (value == nullptr) return listeners;
  std::string all = value;
  ::unsetenv(kVariable);
  std::string_view rest = all;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    const auto number = base::parse_number<std::uint16_t>(word);
    if (!number || *number <= STDERR_FILENO || !is_listening(*number)) continue;
    base::Fd socket(*number);
    ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
    const base::Address address = address_of(socket.get());
    auto same = std::ranges::find(listeners, address, &ListenerSockets::address);
    if (same == listeners.end()) {
      listeners.push_back({.address = address});
      same = std::prev(listeners.end());
    }
    same->sockets.push_back(std::move(socket));
  }
  return listeners;
}

}  // namespace server
