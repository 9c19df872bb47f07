#include "observe/syslog.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "observe/time_text.h"

namespace observe {
namespace {

// In the order of their numbers.
constexpr std::array<std::string_view, 24> kFacilities = {
    "kern",   "user",   "mail",     "daemon", "auth",   "intern", "lpr",    "news",
    "uucp",   "clock",  "authpriv", "ftp",    "ntp",    "audit",  "alert",  "cron",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};

std::string own_hostname() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

}  // namespace

std::optional<std::uint8_t> parse_facility(std::string_view word) noexcept {
  const auto found = std::ranges::find(kFacilities, word);
  if (found == kFacilities.end()) return std::nullopt;
  return static_cast<std::uint8_t>(found - kFacilities.begin());
}

std::string format_datagram(const SyslogOptions& options, std::string_view hostname,
                            std::uint8_t severity, std::string_view line, base::WallTime time) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  std::string text =
      fmt::format("<{}>{} ", options.facility * 8 + severity, local_time_texts(time).syslog);
  if (options.hostname) text.append(hostname).append(1, ' ');
  text.append(options.tag).append(": ");
  text.append(line.substr(0, Syslog::kMaxDatagram - std::min(Syslog::kMaxDatagram, text.size())));
  return text;
}

Syslog::Syslog(SyslogOptions options)
    : options_(std::move(options)),
      hostname_(own_hostname()),
      socket_(::socket(options_.server.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  const timeval patience{.tv_sec = 0, .tv_usec = std::chrono::microseconds(kPatience).count()};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

bool Syslog::connect() const noexcept {
  // Two threads may do it at once: it comes to the same.
  const base::Address& server = options_.server;
  if (::connect(socket_.get(), server.native(), server.native_size()) != 0) return false;
  connected_.store(true, std::memory_order_relaxed);
  return true;
}

base::Result<void> Syslog::send(std::uint8_t severity, std::string_view line, base::WallTime time,
                                Patience patience) const noexcept {
  const std::string text = format_datagram(options_, hostname_, severity, line, time);
  const int flags = MSG_NOSIGNAL | (patience == Patience::none ? MSG_DONTWAIT : 0);
  const base::Address& server = options_.server;
  ssize_t sent = -1;
  if (server.is_unix()) {
    sent = ::sendto(socket_.get(), text.data(), text.size(), flags, server.native(),
                    server.native_size());
  } else if (connected_.load(std::memory_order_relaxed) || connect()) {
    sent = ::send(socket_.get(), text.data(), text.size(), flags);
    // A route or an address of ours may have gone: choose anew next time.
    if (sent < 0 && errno != ECONNREFUSED && errno != EAGAIN) {
      connected_.store(false, std::memory_order_relaxed);
    }
  }
  if (sent < 0) return base::fail(base::error_from_errno(errno, "send() failed"));
  return {};
}

}  // namespace observe
