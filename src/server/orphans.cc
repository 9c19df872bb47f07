#include "server/orphans.h"

#include <linux/sockios.h>
#include <linux/tcp.h>  // glibc's <netinet/tcp.h> knows an older tcp_info
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "server/succession.h"

namespace server {
namespace {

using std::chrono::milliseconds;

constexpr int kUnreadMark = 1;  // SO_PEEK_OFF; the first byte that is read makes it 0

// tcpi_state; the kernel's header for programs does not name them.
constexpr std::uint8_t kEstablished = 1;
constexpr std::uint8_t kCloseWait = 8;

base::TimePoint now() { return std::chrono::steady_clock::now(); }

int option(int socket, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

bool is_connected(int socket) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  return ::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

/// Nothing was read from it and nothing sent. Unsure counts as no.
bool is_untouched(int socket) {
  if (option(socket, SO_DOMAIN) == AF_UNIX) return option(socket, SO_PEEK_OFF) == kUnreadMark;
  if (option(socket, SO_PROTOCOL) != IPPROTO_TCP) return false;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  if (size < offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent) return false;
  int unread = 0;
  if (::ioctl(socket, SIOCINQ, &unread) != 0 || unread < 0) return false;
  const bool has_ended = info.tcpi_state == kCloseWait;
  if (info.tcpi_state != kEstablished && !has_ended) return false;
  return info.tcpi_bytes_sent == 0 && info.tcpi_notsent_bytes == 0 &&
         info.tcpi_bytes_received == static_cast<std::uint64_t>(unread) + (has_ended ? 1 : 0);
}

class Orphans {
 public:
  Orphans(int giver, const OrphanLimits& limits)
      : giver_(giver), limits_(limits), give_by_(now() + limits.giving) {}

  void sort(std::span<const int> descriptors);
  void settle();

 private:
  struct Ending {
    base::Fd socket;
    std::size_t left;  // to be read away
  };
  static constexpr std::uint64_t kGiver = UINT64_MAX;  // in epoll; any other is a place in ending_

  void begin_end(base::Fd socket);
  void give_what_goes();
  void give_up_giving();
  void watch(int descriptor, std::uint32_t events, std::uint64_t place);
  void read_away(Ending& ending);
  void wait_and_read();

  int giver_;
  OrphanLimits limits_;
  base::TimePoint give_by_;
  base::TimePoint end_by_{};
  base::Fd poll_;
  bool polls_giver_ = false;
  std::vector<base::Fd> untouched_;
  std::vector<Ending> ending_;
  std::size_t still_open_ = 0;  // of ending_
};

void Orphans::sort(std::span<const int> descriptors) {
  std::unordered_set<base::Address> listening;  // may be many, and asked for each connection
  std::vector<base::Fd> connections;
  for (const int each : descriptors) {
    base::Fd descriptor(each);
    if (option(each, SO_ACCEPTCONN) == 1) {
      listening.insert(local_address(each));
    } else if (option(each, SO_TYPE) == SOCK_STREAM && is_connected(each)) {
      connections.push_back(std::move(descriptor));
    }
  }
  // All else is closed now: there are descriptors left for what follows.
  poll_ = base::Fd(::epoll_create1(EPOLL_CLOEXEC));
  for (base::Fd& connection : connections) {
    const base::Address local = local_address(connection.get());
    const bool is_client = listening.contains(local) || listening.contains(wildcard_of(local));
    if (is_client && is_untouched(connection.get())) {
      untouched_.push_back(std::move(connection));
    } else if (is_client || local.is_ip()) {
      begin_end(std::move(connection));
    }
  }
}

void Orphans::watch(int descriptor, std::uint32_t events, std::uint64_t place) {
  epoll_event event{.events = events, .data = {.u64 = place}};
  ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, descriptor, &event);
}

void Orphans::begin_end(base::Fd socket) {
  end_by_ = now() + limits_.ending;
  ::shutdown(socket.get(), SHUT_WR);
  watch(socket.get(), EPOLLIN, ending_.size());
  ending_.push_back({.socket = std::move(socket), .left = limits_.bytes});
  ++still_open_;
}

void Orphans::give_what_goes() {
  while (!untouched_.empty()) {
    switch (give(giver_, untouched_.back().get())) {
      case Given::yes: untouched_.pop_back(); break;
      case Given::never: return give_up_giving();
      case Given::later:
        if (!std::exchange(polls_giver_, true)) watch(giver_, EPOLLOUT, kGiver);
        return;
    }
  }
  if (std::exchange(polls_giver_, false)) {
    ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, giver_, nullptr);
  }
}

void Orphans::give_up_giving() {
  for (base::Fd& connection : std::exchange(untouched_, {})) begin_end(std::move(connection));
}

void Orphans::read_away(Ending& ending) {
  static std::array<char, std::size_t{64} << 10> nowhere;
  if (!ending.socket) return;
  const ssize_t got = ::recv(ending.socket.get(), nowhere.data(), nowhere.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const std::size_t bytes = got > 0 ? static_cast<std::size_t>(got) : 0;
  if (bytes > 0 && bytes < ending.left) {
    ending.left -= bytes;
    return;
  }
  ending.socket.close();
  --still_open_;
}

void Orphans::wait_and_read() {
  const base::TimePoint due = untouched_.empty() ? end_by_ : give_by_;
  const base::TimePoint first = still_open_ > 0 ? std::min(due, end_by_) : due;
  const auto left = std::chrono::ceil<milliseconds>(first - now());
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  for (const epoll_event& event :
       std::span(events).first(static_cast<std::size_t>(std::max(count, 0)))) {
    if (event.data.u64 != kGiver) read_away(ending_[event.data.u64]);
  }
}

void Orphans::settle() {
  give_what_goes();
  if (!poll_) return;  // out of memory
  while (!untouched_.empty() || still_open_ > 0) {
    wait_and_read();
    give_what_goes();
    if (!untouched_.empty() && give_by_ <= now()) give_up_giving();
    if (still_open_ > 0 && end_by_ <= now()) {
      ending_.clear();
      still_open_ = 0;
    }
  }
}

}  // namespace

void mark_as_unread(int unix_socket) noexcept {
  ::setsockopt(unix_socket, SOL_SOCKET, SO_PEEK_OFF, &kUnreadMark, sizeof kUnreadMark);
}

void settle_orphans(std::span<const int> descriptors, int giver, const OrphanLimits& limits) {
  Orphans orphans(giver, limits);
  orphans.sort(descriptors);
  orphans.settle();
}

}  // namespace server
