#include "server/service_manager.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace server {
namespace {

// More is a mistake: the manager's own limit on descriptors is lower.
constexpr std::size_t kMostInherited = 4096;

std::string variable(const char* name) {
  const char* value = ::getenv(name);
  return value != nullptr ? value : "";
}

std::string take_variable(const char* name) {
  std::string text = variable(name);
  ::unsetenv(name);
  return text;
}

/// A status is one line of the message: what could be another one is taken out.
std::string one_line_of(std::string_view status) {
  std::string line(status);
  std::ranges::replace_if(
      line, [](char character) { return static_cast<unsigned char>(character) < ' '; }, ' ');
  return line;
}

int option_of(int socket, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

base::Address address_of(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return base::Address::from_native(reinterpret_cast<const sockaddr*>(&storage), size);
}

}  // namespace

ServiceEnvironment ServiceEnvironment::take() {
  return {.notify_socket = variable("NOTIFY_SOCKET"),
          .watchdog_usec = variable("WATCHDOG_USEC"),
          .watchdog_pid = take_variable("WATCHDOG_PID"),
          .listen_fds = take_variable("LISTEN_FDS"),
          .listen_pid = take_variable("LISTEN_PID"),
          .listen_names = take_variable("LISTEN_FDNAMES")};
}

// --- notification

ServiceManager::ServiceManager(std::string_view address) {
  const bool is_usable = (address.starts_with('/') || address.starts_with('@')) &&
                         address.size() > 1 && address.size() < sizeof(sockaddr_un::sun_path);
  if (!is_usable) return;
  address_ = address;
  if (address_.front() == '@') address_.front() = '\0';
  socket_ = base::Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

void ServiceManager::send(std::string_view message) const noexcept {
  if (!socket_) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&to), size);
}

void ServiceManager::tell_ready(pid_t main, std::string_view status) const noexcept {
  send(fmt::format("READY=1\nMAINPID={}\nSTATUS={}\n", main, one_line_of(status)));
}

void ServiceManager::tell_reloading(base::TimePoint now) const noexcept {
  const auto since =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=Reloading the configuration\n", since));
}

void ServiceManager::tell_stopping(std::string_view status) const noexcept {
  send(fmt::format("STOPPING=1\nSTATUS={}\n", one_line_of(status)));
}

void ServiceManager::tell_status(std::string_view status) const noexcept {
  send(fmt::format("STATUS={}\n", one_line_of(status)));
}

void ServiceManager::tell_alive() const noexcept { send("WATCHDOG=1\n"); }

std::optional<std::chrono::microseconds> watchdog_time(const ServiceEnvironment& environment,
                                                       pid_t self) {
  const auto time = base::parse_number<std::uint64_t>(environment.watchdog_usec);
  if (!time || *time == 0 || *time > INT64_MAX) return std::nullopt;
  if (!environment.watchdog_pid.empty() && environment.watchdog_pid != std::to_string(self)) {
    return std::nullopt;
  }
  return std::chrono::microseconds(static_cast<std::int64_t>(*time));
}

Watchdog::Watchdog(std::optional<std::chrono::microseconds> time) noexcept {
  if (!time) return;
  pause_ = *time / 4;  // half of the time for the question, half for the answer and what delays it
  due_ = base::TimePoint{};
}

bool Watchdog::asks(base::TimePoint now) noexcept {
  if (asked_ || now < due_) return false;
  asked_ = true;
  due_ = now + pause_;
  return true;
}

// --- socket activation

std::size_t inherited_count(const ServiceEnvironment& environment, pid_t self) {
  if (environment.listen_pid != std::to_string(self)) return 0;
  const auto count = base::parse_number<std::uint32_t>(environment.listen_fds);
  return count && *count <= kMostInherited ? *count : 0;
}

std::vector<std::string> inherited_names(std::string_view names, std::size_t count) {
  std::vector<std::string> all(count);
  for (std::string& name : all) {
    const std::string_view first = names.substr(0, names.find(':'));
    name = first;
    names.remove_prefix(std::min(names.size(), first.size() + 1));
  }
  return all;
}

std::vector<InheritedSocket> take_activated_sockets(const ServiceEnvironment& environment,
                                                    std::vector<std::string>& complaints) {
  std::vector<InheritedSocket> sockets;
  const std::size_t count = inherited_count(environment, ::getpid());
  std::vector<std::string> names = inherited_names(environment.listen_names, count);
  for (std::size_t i = 0; i < count; ++i) {
    base::Fd socket(kFirstInherited + static_cast<int>(i));
    const bool is_listener = option_of(socket.get(), SO_ACCEPTCONN) == 1 &&
                             option_of(socket.get(), SO_TYPE) == SOCK_STREAM;
    const base::Address address = address_of(socket.get());
    if (!is_listener || (!address.is_ip() && !address.is_unix())) {
      complaints.push_back(
          fmt::format("descriptor {} of LISTEN_FDS is not a listening stream socket, it is closed",
                      socket.get()));
      continue;
    }
    ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
    ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
    sockets.push_back(
        {.address = address, .name = std::move(names[i]), .socket = std::move(socket)});
  }
  return sockets;
}

}  // namespace server
