// bench_origin PORT: the backend behind the proxies that script/bench compares. One thread, epoll,
// HTTP/1.1 in the clear, as cheap as it can be so that it takes little from the core it shares with
// the load. It trusts its clients, which are proxies under test on the same machine: no limits.
//
//   GET /         1 KB            GET /1m      1 MB           GET /bytes/N     N bytes
//   any request may have a body, by length or chunked; it is read and forgotten
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

namespace {

constexpr std::size_t kBlock = 256 * 1024;
const std::string kBody(kBlock, 'x');

std::uint64_t number(std::string_view digits, int base = 10) {
  std::uint64_t value = 0;
  std::from_chars(digits.begin(), digits.end(), value, base);
  return value;
}

/// The value of a header field in a head, found without regard to case.
std::optional<std::string_view> field(std::string_view head, std::string_view name) {
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  auto rest = head;
  while (!rest.empty()) {
    const auto end = std::min(rest.find("\r\n"), rest.size());
    const auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 2, rest.size()));
    if (line.size() > name.size() && line[name.size()] == ':' &&
        std::ranges::equal(line.substr(0, name.size()), name, same)) {
      auto value = line.substr(name.size() + 1);
      value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
      return value;
    }
  }
  return std::nullopt;
}

std::uint64_t body_size(std::string_view target) {
  constexpr std::string_view kCounted = "/bytes/";
  if (target == "/1m") return 1024 * 1024;
  if (target.starts_with(kCounted)) return number(target.substr(kCounted.size()));
  return 1024;
}

class Connection {
 public:
  explicit Connection(int descriptor) : descriptor_(descriptor) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(descriptor_); }

  /// Reads and answers until the kernel has no more; false once the connection is over.
  bool serve() {
    std::array<char, 65536> piece;
    while (true) {
      if (!flush()) return errno == EAGAIN;
      if (answer_next()) continue;
      const auto got = ::read(descriptor_, piece.data(), piece.size());
      if (got < 0) return errno == EAGAIN;
      if (got == 0) return false;
      input_.append(piece.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  enum class Expecting : std::uint8_t { head, counted_body, chunk_size, chunk_data, trailer };

  /// Takes one step through the input: a head, a chunk's line, part of a body. False: needs more.
  bool answer_next() {
    switch (expecting_) {
      case Expecting::head: return take_head();
      case Expecting::counted_body: return skip_body(Expecting::head);
      case Expecting::chunk_data: return skip_body(Expecting::chunk_size);
      case Expecting::chunk_size:
      case Expecting::trailer: return take_line();
    }
    return false;
  }

  bool take_head() {
    const auto end = input_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const auto head = std::string_view(input_).substr(0, end);
    const auto first = head.find(' ');
    const auto second = head.find(' ', first + 1);
    const auto size = body_size(head.substr(first + 1, second - first - 1));
    if (const auto length = field(head, "content-length")) {
      left_to_skip_ = number(*length);
      expecting_ = Expecting::counted_body;
    } else if (field(head, "transfer-encoding")) {
      expecting_ = Expecting::chunk_size;
    }
    const bool bodiless = head.starts_with("HEAD ");
    output_ = fmt::format(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", size);
    left_to_send_ = bodiless ? 0 : size;
    input_.erase(0, end + 4);
    // The answer waits for the body's end, else a proxy may take it for an early answer.
    answer_ready_ = expecting_ == Expecting::head;
    return true;
  }

  bool skip_body(Expecting after) {
    const auto skipped = std::min<std::uint64_t>(left_to_skip_, input_.size());
    input_.erase(0, static_cast<std::size_t>(skipped));
    left_to_skip_ -= skipped;
    if (left_to_skip_ > 0) return false;
    expecting_ = after;
    answer_ready_ = after == Expecting::head;
    return true;
  }

  bool take_line() {
    const auto end = input_.find("\r\n");
    if (end == std::string::npos) return false;
    const auto line = input_.substr(0, end);
    input_.erase(0, end + 2);
    if (expecting_ == Expecting::trailer) {
      if (line.empty()) {
        expecting_ = Expecting::head;
        answer_ready_ = true;
      }
    } else if (const auto size = number(line, 16); size == 0) {
      expecting_ = Expecting::trailer;
    } else {
      left_to_skip_ = size + 2;
      expecting_ = Expecting::chunk_data;
    }
    return true;
  }

  /// Sends what is due. False with errno set if the socket takes no more.
  bool flush() {
    while (answer_ready_ && (!output_.empty() || left_to_send_ > 0)) {
      const auto body = static_cast<std::size_t>(std::min<std::uint64_t>(left_to_send_, kBlock));
      std::array<iovec, 2> parts{iovec{output_.data(), output_.size()},
                                 iovec{const_cast<char*>(kBody.data()), body}};
      const auto sent = ::writev(descriptor_, parts.data(), static_cast<int>(parts.size()));
      if (sent < 0) return false;
      const auto head_part = std::min(static_cast<std::size_t>(sent), output_.size());
      output_.erase(0, head_part);
      left_to_send_ -= static_cast<std::size_t>(sent) - head_part;
    }
    return true;
  }

  int descriptor_;
  std::string input_;
  std::string output_;
  std::uint64_t left_to_send_ = 0;
  std::uint64_t left_to_skip_ = 0;
  Expecting expecting_ = Expecting::head;
  bool answer_ready_ = true;
};

int listen_on(std::uint16_t port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 4096) != 0) {
    std::perror("bench_origin: listen");
    ::_exit(1);
  }
  return listener;
}

void serve_forever(int listener) {
  const int poll = ::epoll_create1(0);
  epoll_event event{.events = EPOLLIN, .data = {.fd = listener}};
  ::epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  std::unordered_map<int, std::unique_ptr<Connection>> connections;
  std::array<epoll_event, 256> events{};
  while (true) {
    const int ready = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      const int descriptor = events.at(static_cast<std::size_t>(i)).data.fd;
      if (descriptor != listener) {
        const auto found = connections.find(descriptor);
        if (found != connections.end() && !found->second->serve()) connections.erase(found);
        continue;
      }
      for (int accepted = 0;
           (accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
        const int on = 1;
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event fresh{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.fd = accepted}};
        connections[accepted] = std::make_unique<Connection>(accepted);
        ::epoll_ctl(poll, EPOLL_CTL_ADD, accepted, &fresh);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: bench_origin PORT\n");
    return 2;
  }
  std::ignore = std::signal(SIGPIPE, SIG_IGN);
  const auto port = static_cast<std::uint16_t>(number(*std::next(argv)));
  serve_forever(listen_on(port));
}
