#include "cli/demonstration_backend.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>

#include "async/scope.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/text.h"
#include "io/event_loop.h"
#include "io/socket.h"
#include "server/privileges.h"
#include "server/signals.h"

namespace cli {
namespace {

constexpr int kListenerDescriptor = 3;
constexpr std::size_t kMaxHead = 65536;
constexpr std::chrono::seconds kPatience{30};

std::string respond(const SeenRequest& request, bool keep) {
  const bool browser = request.field("Accept").find("text/html") != std::string_view::npos;
  const std::string body = browser ? render_page(request) : render_text(request);
  return fmt::format(
      "HTTP/1.1 200 OK\r\n"
      "Content-Type: {}; charset=utf-8\r\n"
      "Content-Length: {}\r\n"
      "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
      "Cache-Control: no-store\r\n"
      "{}\r\n{}",
      browser ? "text/html" : "text/plain", body.size(), keep ? "" : "Connection: close\r\n",
      request.line.starts_with("HEAD ") ? "" : body);
}

/// A request with a body is answered without it, and the connection closed: nothing that follows
/// could be told from the body.
bool has_body(const SeenRequest& request) {
  const std::string_view length = request.field("Content-Length");
  return !request.field("Transfer-Encoding").empty() || (!length.empty() && length != "0");
}

async::Task<void> serve(io::EventLoop& loop, base::Fd socket) {
  auto stream = io::SocketStream::adopt(loop, std::move(socket));
  if (!stream) co_return;
  std::string input;
  std::array<char, 16384> buffer{};
  while (true) {
    std::size_t end = 0;
    while ((end = input.find("\r\n\r\n")) == std::string::npos) {
      const auto got = co_await io::read(**stream, buffer, loop.now() + kPatience);
      if (!got || *got == 0 || input.size() + *got > kMaxHead) co_return;
      input.append(buffer.data(), *got);
    }
    const auto request = read_request(std::string_view(input).substr(0, end + 2));
    if (!request) co_return;
    const bool keep = !has_body(*request) && request->line.ends_with("HTTP/1.1") &&
                      !base::equal_ignoring_case(request->field("Connection"), "close");
    std::string reply = respond(*request, keep);
    iovec piece{.iov_base = reply.data(), .iov_len = reply.size()};
    const auto sent = co_await io::write_all(**stream, {&piece, 1}, loop.now() + kPatience);
    if (!sent || !keep) break;
    input.erase(0, end + 4);
  }
  // Closing with unread bytes would reset the connection, and the answer might be lost.
  (*stream)->shutdown_write();
  while (true) {
    const auto got = co_await io::read(**stream, buffer, loop.now() + kPatience);
    if (!got || *got == 0) co_return;
  }
}

async::Task<void> accept(io::EventLoop& loop, io::Listener& listener, async::Scope& scope) {
  while (true) {
    auto accepted = co_await listener.accept();
    if (accepted) {
      scope.spawn(serve(loop, std::move(accepted->socket)));
    } else if (!co_await io::sleep_until(loop, loop.now() + std::chrono::milliseconds(100))) {
      co_return;
    }
  }
}

}  // namespace

void exec_demonstration_backend(int listener) noexcept {
  if (listener == kListenerDescriptor) {
    ::fcntl(listener, F_SETFD, 0);
  } else {
    ::dup2(listener, kListenerDescriptor);
  }
  std::array<char, 48> name{"sallyport: demonstration backend"};
  std::array<char, 48> argument{};
  kDemonstrationBackendArgument.copy(argument.data(), argument.size() - 1);
  const std::array<char*, 3> arguments{name.data(), argument.data(), nullptr};
  ::execv("/proc/self/exe", arguments.data());
  ::_exit(127);
}

int run_demonstration_backend() {
  const pid_t parent = ::getppid();
  server::ignore_signals();
  ::fcntl(kListenerDescriptor, F_SETFD, FD_CLOEXEC);
  server::Identity identity;
  if (::geteuid() == 0) {
    auto nobody = server::find_identity("nobody", "");
    if (!nobody) return 1;
    identity = std::move(*nobody);
  }
  if (!server::assume_identity(identity)) return 1;
  server::end_with_parent();
  if (::getppid() != parent) return 1;
  const base::SystemClock clock;
  io::EventLoop loop(clock);
  auto listener = io::Listener::adopt(loop, base::Fd(kListenerDescriptor));
  if (!listener) return 1;
  async::Scope scope;
  loop.post([&] { scope.spawn(accept(loop, **listener, scope)); });
  loop.run();
  return 0;
}

}  // namespace cli
