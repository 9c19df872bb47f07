#include "server/admin.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/paths.h"
#include "server/server.h"
#include "server/status.h"
#include "server/worker_reports.h"
#include "snapshot/outline.h"

namespace server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxRequest = 4096;
constexpr std::size_t kMaxAnswer = std::size_t{256} << 20;  // the outline of a huge configuration
constexpr std::size_t kMaxClients = 16;
constexpr std::chrono::seconds kPatience{5};

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

bool may_ask(int socket, uid_t owner) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == owner;
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// What the configuration was loaded from, so that another file can be loaded likewise.
std::string origin_of(const snapshot::Snapshot& snapshot) {
  return text_of({{"file", snapshot.origin.file},
                  {"prefix", snapshot.origin.prefix},
                  {"global", snapshot.origin.global_directives}});
}

}  // namespace

base::Result<base::Fd> open_admin_socket(const std::string& path) {
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

std::expected<std::string, std::string> ask(const std::string& path, std::string_view request) {
  const auto failure = [&path](std::string_view call) {
    return std::unexpected(fmt::format("{} \"{}\" {}", call, path,
                                       base::describe(base::error_from_errno(errno, "failed"))));
  };
  const auto name = name_socket(path);
  if (!name) {
    return std::unexpected(fmt::format("\"{}\": {}", path, base::describe(name.error())));
  }
  const base::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(socket.get(), name->address.native(), name->address.native_size()) != 0) {
    return failure("connect() to");
  }
  const std::string line = std::string(request) + '\n';
  if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) != std::ssize(line)) {
    return failure("send() to");
  }
  std::string answer;
  std::array<char, 65536> buffer{};
  while (!answer.ends_with('\n') && answer.size() < kMaxAnswer) {
    const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure("recv() from");
    if (got == 0) break;
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  if (!answer.ends_with('\n')) {
    return std::unexpected(fmt::format("\"{}\" closed without an answer", path));
  }
  answer.pop_back();
  return answer;
}

Admin::Admin(io::EventLoop& loop, std::unique_ptr<io::Listener> listener, const Server& server,
             const ProcessFacts& facts)
    : loop_(loop), listener_(std::move(listener)), server_(server), facts_(facts) {}

Admin::~Admin() {
  scope_.request_stop();
  loop_.run_until_idle();
}

base::Result<std::unique_ptr<Admin>> Admin::start(io::EventLoop& loop, base::Fd socket,
                                                  const Server& server, const ProcessFacts& facts) {
  TRY(auto listener, io::Listener::adopt(loop, std::move(socket)));
  std::unique_ptr<Admin> admin(new Admin(loop, std::move(listener), server, facts));
  loop.post([&admin = *admin] {
    admin.accepting_.spawn(admin.accept());
    admin.accepting_.spawn(admin.sample());
  });
  return admin;
}

async::Task<void> Admin::accept() {
  bool last_look = false;
  while (true) {
    auto accepted = co_await listener_->accept();
    if (accepted) {
      const bool welcome =
          scope_.running() < kMaxClients && may_ask(accepted->socket.get(), facts_.owner);
      if (welcome) scope_.spawn(serve(std::move(accepted->socket)));
    } else if (accepted.error().is(base::ErrorCode::cancelled)) {
      if (std::exchange(last_look, true)) break;
    } else if (!co_await io::sleep_until(loop_, loop_.now() + std::chrono::milliseconds(100))) {
      break;
    }
  }
  // Another process may have the same socket: it must be the one that is woken.
  listener_.reset();
}

async::Task<void> Admin::serve(base::Fd socket) {
  auto stream = io::SocketStream::adopt(loop_, std::move(socket));
  if (!stream) co_return;
  const base::Deadline deadline = loop_.now() + kPatience;
  std::string line;
  std::array<char, kMaxRequest> buffer{};
  while (line.find('\n') == std::string::npos) {
    const auto got = co_await io::read(**stream, buffer, deadline);
    if (!got || *got == 0 || line.size() + *got > kMaxRequest) co_return;
    line.append(buffer.data(), *got);
  }
  line.resize(line.find('\n'));
  std::string text = co_await answer(std::move(line)) + '\n';
  iovec piece{.iov_base = text.data(), .iov_len = text.size()};
  static_cast<void>(co_await io::write_all(**stream, {&piece, 1}, deadline));
}

async::Task<std::string> Admin::answer(std::string request) {
  const Json parsed = Json::parse(request, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("command") || !parsed["command"].is_string()) {
    co_return R"({"error":"expected {\"command\": ...}"})";
  }
  const auto command = parsed["command"].get<std::string>();
  if (command == "status") co_return co_await status();
  const auto snapshot = server_.snapshot();
  if (command != "outline" && command != "origin") co_return R"({"error":"unknown command"})";
  if (snapshot == nullptr) co_return R"({"error":"there is no configuration yet"})";
  if (command == "origin") co_return origin_of(*snapshot);
  co_return snapshot::to_json(snapshot::outline(*snapshot));
}

async::Task<std::string> Admin::status() {
  const std::vector<WorkerReport> reports = co_await collect_reports(server_, loop_);
  const std::vector<observe::Reading> readings = server_.readings();
  const base::WallTime now = std::chrono::system_clock::now();
  co_return status_json({.server = server_,
                         .process = facts_,
                         .reports = reports,
                         .readings = readings,
                         .lately = recent_.since(readings, loop_.now()),
                         .now = now});
}

// For what happened lately.
async::Task<void> Admin::sample() {
  while (true) {
    recent_.sample(server_.readings(), loop_.now());
    if (!co_await io::sleep_until(loop_, loop_.now() + Recent::kPause)) co_return;
  }
}

}  // namespace server
