#include "io/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <limits>
#include <string>

#include "base/bytes.h"

namespace io {

using base::ErrorCode;

SocketStream::SocketStream(EventLoop& loop, base::Fd socket) noexcept
    : loop_(loop), socket_(std::move(socket)) {}

base::Result<std::unique_ptr<SocketStream>> SocketStream::adopt(EventLoop& loop, base::Fd socket) {
  std::unique_ptr<SocketStream> stream(new SocketStream(loop, std::move(socket)));
  TRY_VOID(loop.add(stream->fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP, *stream));
  return stream;
}

SocketStream::~SocketStream() { loop_.forget(*this); }

namespace {

// recv() and send() without glibc's wrappers: in a process with threads these make every call a
// cancellation point, which costs two atomic operations each, and no thread here is ever cancelled.
ssize_t receive(int socket, std::span<char> into) noexcept {
  return ::syscall(SYS_recvfrom, socket, into.data(), into.size(), 0, nullptr, nullptr);
}
ssize_t send_piece(int socket, std::span<const char> bytes) noexcept {
  return ::syscall(SYS_sendto, socket, bytes.data(), bytes.size(), MSG_NOSIGNAL, nullptr, 0);
}

// One piece leaves by send(), which is cheaper for the kernel than sendmsg(); a few small ones (a
// head and a short body) are copied together first, which costs less than the difference.
constexpr std::size_t kCopied = 4096;

ssize_t send_pieces(int socket, std::span<const iovec> pieces, std::size_t total) noexcept {
  if (pieces.size() == 1) {
    const iovec& piece = pieces.front();
    return send_piece(socket, {static_cast<const char*>(piece.iov_base), piece.iov_len});
  }
  if (total <= kCopied) {
    thread_local std::array<char, kCopied> together;
    std::span<char> room(together);
    for (const iovec& piece : pieces) {
      base::copy_bytes({static_cast<const char*>(piece.iov_base), piece.iov_len}, room);
      room = room.subspan(piece.iov_len);
    }
    return send_piece(socket, std::span(together).first(total));
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  return ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

}  // namespace

base::Result<std::size_t> SocketStream::try_read(std::span<char> into) noexcept {
  if (!readable_) return base::fail(ErrorCode::would_block);
  while (true) {
    const ssize_t got = receive(socket_.get(), into);
    if (got >= 0) {
      // After a hang-up the end of the stream is still to be read, and no edge will announce it.
      if (static_cast<std::size_t>(got) < into.size() && got > 0 && !hung_up_) readable_ = false;
      return static_cast<std::size_t>(got);
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) readable_ = false;
    return base::fail(base::error_from_errno(errno, "recv() failed"));
  }
}

base::Result<std::size_t> SocketStream::try_write(std::span<const iovec> pieces) noexcept {
  if (!writable_) return base::fail(ErrorCode::would_block);
  pieces = pieces.first(std::min<std::size_t>(pieces.size(), 64));
  std::size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  while (true) {
    const ssize_t sent = send_pieces(socket_.get(), pieces, total);
    if (sent >= 0) {
      if (static_cast<std::size_t>(sent) < total) writable_ = false;
      return static_cast<std::size_t>(sent);
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) writable_ = false;
    return base::fail(base::error_from_errno(errno, "sendmsg() failed"));
  }
}

base::Result<std::size_t> SocketStream::try_send_file(const FileBytes& bytes) noexcept {
  if (!writable_) return base::fail(ErrorCode::would_block);
  while (true) {
    auto offset = static_cast<off_t>(bytes.offset);
    const ssize_t sent = ::sendfile(socket_.get(), bytes.file, &offset, bytes.count);
    // A short count says nothing: the file may be at its end, or the call was interrupted.
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EINTR) continue;
    if (errno == EAGAIN) writable_ = false;
    return base::fail(base::error_from_errno(errno, "sendfile() failed"));
  }
}

bool SocketStream::may_be_ready(Direction direction) const noexcept {
  return direction == Direction::read ? readable_ : writable_;
}

void SocketStream::set_waiter(Direction direction, Waiter* waiter) noexcept {
  (direction == Direction::read ? reader_ : writer_) = waiter;
}

void SocketStream::on_events(std::uint32_t events) noexcept {
  constexpr std::uint32_t kEnded = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  if ((events & kEnded) != 0) hung_up_ = true;
  if ((events & (EPOLLIN | kEnded)) != 0) {
    readable_ = true;
    if (reader_ != nullptr) reader_->on_ready();
  }
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
    writable_ = true;
    if (writer_ != nullptr) writer_->on_ready();
  }
}

void SocketStream::shutdown_write() noexcept {
  if (!aborted_) ::shutdown(socket_.get(), SHUT_WR);
}

void SocketStream::abort() noexcept {
  aborted_ = true;  // a FIN before the RST would look like an orderly end
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

base::Address SocketStream::local_address() const noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return base::Address::from_native(reinterpret_cast<const sockaddr*>(&storage), size);
}

void SocketStream::set_no_delay(bool on) noexcept {
  const int value = on ? 1 : 0;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &value, sizeof value);
}

int SocketStream::take_socket_error() noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

namespace {

// Before it connects: buffers count for the window that is offered.
base::Result<void> prepare(int socket, const ConnectOptions& options) noexcept {
  const auto set = [socket](int level, int name, int value) {
    return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
  };
  // The kernel's no to a size is no reason not to connect.
  if (options.keepalive) static_cast<void>(set(SOL_SOCKET, SO_KEEPALIVE, 1));
  if (options.receive_buffer > 0) {
    static_cast<void>(set(SOL_SOCKET, SO_RCVBUF, options.receive_buffer));
  }
  if (options.send_buffer > 0) static_cast<void>(set(SOL_SOCKET, SO_SNDBUF, options.send_buffer));
  if (!options.from) return {};
  // Else each local address has some 28,000 connections in all, and not to each peer.
  if (options.from->port() == 0) static_cast<void>(set(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
  if (::bind(socket, options.from->native(), options.from->native_size()) == 0) return {};
  return base::fail(base::error_from_errno(errno, "bind() failed"));
}

}  // namespace

async::Task<base::Result<std::unique_ptr<SocketStream>>> connect(EventLoop& loop,
                                                                 base::Address peer,
                                                                 base::Deadline deadline,
                                                                 ConnectOptions options) {
  constexpr int kKind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  base::Fd socket(::socket(peer.family(), kKind, 0));
  while (!socket) {
    const auto error = base::error_from_errno(errno, "socket() failed");
    // Out of descriptors: what is idle goes first, then this waits for others to end.
    const bool may_pass = base::is_descriptor_shortage(error) && loop.now() < deadline;
    if (!may_pass || !loop.relieve()) co_return base::fail(error);
    CO_TRY_VOID(co_await sleep_until(
        loop, std::min(deadline, base::Deadline(loop.now() + EventLoop::kReliefPause))));
    socket = base::Fd(::socket(peer.family(), kKind, 0));
  }
  if (!peer.is_unix()) CO_TRY_VOID(prepare(socket.get(), options));
  const int connected = ::connect(socket.get(), peer.native(), peer.native_size());
  const int connect_error = connected == 0 ? 0 : errno;
  if (connect_error != 0 && connect_error != EINPROGRESS) {
    auto error = base::error_from_errno(connect_error, "connect() failed");
    // A Unix socket whose backlog is full says EAGAIN; it will not become writable.
    if (connect_error == EAGAIN) error.code = ErrorCode::refused;
    co_return base::fail(error);
  }
  CO_TRY(auto stream, SocketStream::adopt(loop, std::move(socket)));
  if (connect_error == EINPROGRESS) {
    stream->expect_connect();
    const auto writable = co_await ready(*stream, Direction::write, deadline, Waiting::busy);
    if (!writable) co_return base::fail(writable.error().during("connect() failed"));
    if (const int error = stream->take_socket_error(); error != 0) {
      co_return base::fail(base::error_from_errno(error, "connect() failed"));
    }
  }
  if (!peer.is_unix()) stream->set_no_delay(true);
  co_return stream;
}

namespace {

// The file of a Unix socket whose owner died stays behind; one that is served must not be taken
// over.
bool is_stale_socket(const base::Address& address) {
  const std::string path = address.text().substr(5);
  struct stat status{};
  if (path.starts_with('@') || ::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
    return false;
  }
  const base::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const bool refused =
      ::connect(probe.get(), address.native(), address.native_size()) != 0 && errno == ECONNREFUSED;
  return refused && ::unlink(path.c_str()) == 0;
}

// Multipath TCP where it was asked for and the kernel has it, else TCP.
base::Fd make_listening_socket(const base::Address& address, const ListenOptions& options,
                               std::vector<OptionFailure>& ignored) {
  constexpr int kType = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  if (options.multipath && address.is_ip()) {
    base::Fd socket(::socket(address.family(), kType, IPPROTO_MPTCP));
    if (socket) return socket;
    ignored.push_back({"multipath", base::error_from_errno(errno, "socket() failed")});
  }
  return base::Fd(::socket(address.family(), kType, 0));
}

base::Result<void> bind_to(int socket, const base::Address& address) {
  int bound = ::bind(socket, address.native(), address.native_size());
  if (bound != 0 && errno == EADDRINUSE && address.is_unix() && is_stale_socket(address)) {
    bound = ::bind(socket, address.native(), address.native_size());
  }
  if (bound != 0) return base::fail(base::error_from_errno(errno, "bind() failed"));
  if (!address.is_unix()) return {};
  // To connect is to write, and the umask has taken that from all but the owner.
  const std::string path = address.text().substr(5);
  if (!path.starts_with('@') && ::chmod(path.c_str(), 0666) != 0) {
    return base::fail(base::error_from_errno(errno, "chmod() failed"));
  }
  return {};
}

}  // namespace

base::Result<base::Fd> open_listener(const base::Address& address, const ListenOptions& options,
                                     std::vector<OptionFailure>* ignored) {
  std::vector<OptionFailure> failures;
  base::Fd socket = make_listening_socket(address, options, failures);
  if (!socket) return base::fail(base::error_from_errno(errno, "socket() failed"));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (options.reuse_port && !address.is_unix()) {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  }
  if (address.family() == AF_INET6) {
    const int only = options.ipv6_only ? 1 : 0;
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  TRY_VOID(bind_to(socket.get(), address));
  std::ranges::move(set_listen_options(socket.get(), address, options),
                    std::back_inserter(failures));
  if (::listen(socket.get(), options.backlog) != 0) {
    return base::fail(base::error_from_errno(errno, "listen() failed"));
  }
  if (ignored != nullptr) *ignored = std::move(failures);
  return socket;
}

Listener::Listener(EventLoop& loop, base::Fd socket) noexcept
    : loop_(loop), socket_(std::move(socket)) {}

base::Result<std::unique_ptr<Listener>> Listener::adopt(EventLoop& loop, base::Fd socket) {
  std::unique_ptr<Listener> listener(new Listener(loop, std::move(socket)));
  // Shared sockets wake one of the workers that wait, not all.
  TRY_VOID(loop.add(listener->socket_.get(), EPOLLIN | EPOLLEXCLUSIVE, *listener));
  return listener;
}

Listener::~Listener() { loop_.remove(socket_.get(), *this); }

base::Result<Accepted> Listener::try_accept() noexcept {
  while (true) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    const int fd = ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      return Accepted{base::Fd(fd), base::Address::from_native(
                                        reinterpret_cast<const sockaddr*>(&storage), size)};
    }
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
    return base::fail(base::error_from_errno(errno, "accept4() failed"));
  }
}

void Listener::on_events(std::uint32_t /*events*/) noexcept {
  if (waiting_ != nullptr && waiting_->attempt()) waiting_->finish();
}

bool Listener::Accept::attempt() noexcept {
  result_ = listener_.try_accept();
  return result_ || !result_.error().is(ErrorCode::would_block);
}

void Listener::Accept::finish() noexcept {
  unlink();
  listener_.waiting_ = nullptr;
  listener_.loop_.executor().post(handle_);
}

void Listener::Accept::cancel() noexcept {
  result_ = base::fail(ErrorCode::cancelled);
  finish();
}

void Sleep::on_timer() noexcept {
  Cancellable::unlink();
  loop_.executor().post(handle_);
}

void Sleep::cancel() noexcept {
  result_ = base::fail(ErrorCode::cancelled);
  Timer::unlink();
  loop_.executor().post(handle_);
}

}  // namespace io
