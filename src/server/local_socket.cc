#include "server/local_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/address.h"
#include "server/paths.h"

namespace server {
namespace {

constexpr std::size_t kMaxAnswer = std::size_t{256} << 20;  // the outline of a huge configuration
constexpr std::chrono::seconds kSendPatience{5};

base::Result<void> failed(std::string_view call) {
  return base::fail(base::error_from_errno(errno, call));
}

/// A socket's path is limited to 107 bytes; through /proc/self/fd of its directory it is short.
struct SocketName {
  base::Fd directory;
  base::Address address;
  std::string file;
};

base::Result<SocketName> name_socket(const std::string& path) {
  SocketName name;
  name.file = path.substr(path.rfind('/') + 1);
  name.directory = base::Fd(::open(directory_of(path).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!name.directory) return base::fail(base::error_from_errno(errno, "open() failed"));
  const auto address =
      base::Address::from_path(fmt::format("/proc/self/fd/{}/{}", name.directory.get(), name.file));
  if (!address) return base::fail(base::ErrorCode::invalid, "the socket's name");
  name.address = *address;
  return name;
}

void set_patience(int socket, int option, std::chrono::seconds patience) {
  const timeval time{.tv_sec = patience.count(), .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, option, &time, sizeof time);
}

}  // namespace

bool may_ask(int socket, uid_t owner) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == owner;
}

base::Result<base::Fd> open_local_socket(const std::string& path) {
  TRY(const SocketName name, name_socket(path));
  base::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return base::fail(base::error_from_errno(errno, "socket() failed"));
  const base::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), name.address.native(), name.address.native_size()) == 0) {
    return base::fail(base::error_from_errno(EADDRINUSE, "bind() failed"));
  }
  struct stat status{};
  if (::fstatat(name.directory.get(), name.file.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISSOCK(status.st_mode)) {
    ::unlinkat(name.directory.get(), name.file.c_str(), 0);
  }
  // The file is made with the socket's own mode, so that it is never open to others.
  if (::fchmod(socket.get(), 0600) != 0) TRY_VOID(failed("fchmod() failed"));
  const mode_t old_mask = ::umask(0177);
  const int bound = ::bind(socket.get(), name.address.native(), name.address.native_size());
  const int bind_error = errno;
  ::umask(old_mask);
  if (bound != 0) return base::fail(base::error_from_errno(bind_error, "bind() failed"));
  if (::listen(socket.get(), 16) != 0) TRY_VOID(failed("listen() failed"));
  return socket;
}

LocalClient::LocalClient(base::Fd socket, std::string path)
    : socket_(std::move(socket)), path_(std::move(path)) {}

std::unexpected<std::string> LocalClient::failure(std::string_view call) const {
  return std::unexpected(fmt::format("{} \"{}\" {}", call, path_,
                                     base::describe(base::error_from_errno(errno, "failed"))));
}

std::expected<LocalClient, std::string> LocalClient::connect(const std::string& path) {
  const auto name = name_socket(path);
  if (!name) return std::unexpected(fmt::format("\"{}\": {}", path, base::describe(name.error())));
  LocalClient client(base::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), path);
  const int socket = client.socket_.get();
  set_patience(socket, SO_SNDTIMEO, kSendPatience);
  if (::connect(socket, name->address.native(), name->address.native_size()) != 0) {
    return client.failure("connect() to");
  }
  return client;
}

std::expected<void, std::string> LocalClient::send(std::string_view line) {
  const std::string text = std::string(line) + '\n';
  if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) != std::ssize(text)) {
    return failure("send() to");
  }
  return {};
}

std::expected<std::string, std::string> LocalClient::receive(std::chrono::seconds patience) {
  set_patience(socket_.get(), SO_RCVTIMEO, patience);
  std::array<char, 65536> buffer{};
  std::size_t searched = 0;
  while (true) {
    const std::size_t end = received_.find('\n', searched);
    if (end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    searched = received_.size();
    if (searched > kMaxAnswer) return std::unexpected(fmt::format("\"{}\" says too much", path_));
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure("recv() from");
    if (got == 0) return std::unexpected(fmt::format("\"{}\" closed without an answer", path_));
    received_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace server
