#include "server/upgrade.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
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

constexpr const char* kSockets = "SALLYPORT_SOCKETS";
constexpr const char* kActivated = "SALLYPORT_ACTIVATED";
constexpr const char* kTickets = "SALLYPORT_TICKETS";
constexpr const char* kOldProgram = "SALLYPORT_OLD_PROGRAM";

bool is_listening(int fd) {
  int listening = 0;
  socklen_t size = sizeof listening;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

bool is_packet_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

base::Address address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return base::Address::from_native(reinterpret_cast<const sockaddr*>(&storage), size);
}

/// The descriptors that a variable names, which is gone then; 0 to 2 are never among them.
std::vector<int> take_numbers(const char* variable) {
  const char* value = std::getenv(variable);
  const std::string all = value != nullptr ? value : "";
  ::unsetenv(variable);
  std::vector<int> numbers;
  for (std::string_view rest = all; !rest.empty();) {
    const std::string_view word = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    const auto number = base::parse_number<std::uint16_t>(word);
    if (number && *number > STDERR_FILENO) numbers.push_back(*number);
  }
  return numbers;
}

base::Fd owned(int number) {
  ::fcntl(number, F_SETFD, FD_CLOEXEC);
  return base::Fd(number);
}

}  // namespace

base::Result<pid_t> start_new_binary(const std::vector<std::string>& command,
                                     std::span<const ListenerSockets> listeners,
                                     const base::Fd& tickets, const base::Fd& old_program) {
  // Everything that allocates comes before the fork.
  std::vector<int> descriptors;
  std::vector<int> activated;
  for (const ListenerSockets& listener : listeners) {
    for (const base::Fd& socket : listener.sockets) {
      descriptors.push_back(socket.get());
      if (listener.activated) activated.push_back(socket.get());
    }
  }
  const std::string sockets = fmt::format("{}", fmt::join(descriptors, ";"));
  const std::string managers = fmt::format("{}", fmt::join(activated, ";"));
  const std::string secret = tickets ? fmt::format("{}", tickets.get()) : "";
  if (tickets) descriptors.push_back(tickets.get());
  const std::string news = old_program ? fmt::format("{}", old_program.get()) : "";
  if (old_program) descriptors.push_back(old_program.get());
  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return base::fail(base::error_from_errno(errno, "fork() failed"));
  if (child > 0) return child;
  restore_signals();
  ::setenv(kSockets, sockets.c_str(), 1);
  if (!managers.empty()) ::setenv(kActivated, managers.c_str(), 1);
  if (!secret.empty()) ::setenv(kTickets, secret.c_str(), 1);
  if (!news.empty()) ::setenv(kOldProgram, news.c_str(), 1);
  for (const int fd : descriptors) ::fcntl(fd, F_SETFD, 0);
  ::execvp(arguments.front(), arguments.data());
  ::_exit(127);
}

bool has_inherited_sockets() { return std::getenv(kSockets) != nullptr; }

Inheritance take_inheritance() {
  Inheritance all;
  const std::vector<int> activated = take_numbers(kActivated);
  for (const int number : take_numbers(kTickets)) {
    if (::fcntl(number, F_GETFD) >= 0 && !is_listening(number)) all.tickets = owned(number);
  }
  for (const int number : take_numbers(kOldProgram)) {
    if (is_packet_socket(number)) all.old_program = owned(number);
  }
  for (const int number : take_numbers(kSockets)) {
    if (!is_listening(number)) continue;
    base::Fd socket = owned(number);
    const base::Address address = address_of(number);
    auto same = std::ranges::find(all.listeners, address, &ListenerSockets::address);
    if (same == all.listeners.end()) {
      all.listeners.push_back({.address = address});
      same = std::prev(all.listeners.end());
    }
    same->activated = same->activated || std::ranges::find(activated, number) != activated.end();
    same->sockets.push_back(std::move(socket));
  }
  return all;
}

}  // namespace server
