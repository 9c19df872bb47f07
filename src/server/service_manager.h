// The service manager (systemd): what it is told, and the sockets it has opened for us. Its two
// protocols are a datagram and three variables, so libsystemd is not needed.
//
//   NOTIFY_SOCKET             where messages go: "READY=1\nMAINPID=123"   sd_notify(3)
//   WATCHDOG_USEC, _PID       how often it wants to hear WATCHDOG=1       sd_watchdog_enabled(3)
//   LISTEN_FDS, _PID, _NAMES  sockets from descriptor 3 on                sd_listen_fds(3)
//
// The supervisor reads all of them once, at its start. The server process gets none of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"

namespace server {

/// The variables, handed in for tests. Empty: not set.
struct ServiceEnvironment {
  std::string notify_socket{};
  std::string watchdog_usec{};
  std::string watchdog_pid{};
  std::string listen_fds{};
  std::string listen_pid{};
  std::string listen_names{};

  /// Takes those out of this process's environment that mean it alone; a new binary (upgrade.h)
  /// needs the others. While it has one thread.
  [[nodiscard]] static ServiceEnvironment take();
};

/// Where messages go. Sending never blocks, and a message that is lost is lost: the manager is told
/// what happens, not asked.
class ServiceManager {
 public:
  /// Nobody is told.
  ServiceManager() = default;
  /// `address`: a path, or "@NAME" for the abstract one. Anything else: nobody is told.
  explicit ServiceManager(std::string_view address);

  [[nodiscard]] bool is_there() const noexcept { return static_cast<bool>(socket_); }

  /// Everything listens. `main`: the process to watch, which after `daemon on` is not the one that
  /// was started.
  void tell_ready(pid_t main, std::string_view status) const noexcept;
  /// A reload begins; tell_ready says that it is over. `now`: of the monotonic clock.
  void tell_reloading(base::TimePoint now) const noexcept;
  void tell_stopping(std::string_view status) const noexcept;
  /// One line, for `systemctl status`.
  void tell_status(std::string_view status) const noexcept;
  void tell_alive() const noexcept;

 private:
  void send(std::string_view message) const noexcept;
  base::Fd socket_;
  std::string address_;  // sockaddr_un's path as it is used, with its NUL in front if abstract
};

/// How long the manager waits for a sign of life before it ends the service; none: it doesn't, or
/// means another process. A sign is due after half of that.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_time(
    const ServiceEnvironment& environment, pid_t self);

/// When the server process is asked whether it lives. Its answer, which every worker has a part in,
/// is the sign of life: that the supervisor lives says nothing about who is served. One question at
/// a time, so that a process that hangs is not sent more and more of them.
class Watchdog {
 public:
  explicit Watchdog(std::optional<std::chrono::microseconds> time) noexcept;

  /// kNoDeadline: nothing is to be done.
  [[nodiscard]] base::TimePoint due() const noexcept { return asked_ ? base::kNoDeadline : due_; }
  /// True if a question is to be sent now: it counts as sent.
  [[nodiscard]] bool asks(base::TimePoint now) noexcept;
  void on_answer() noexcept { asked_ = false; }
  /// A new server process knows of no question.
  void start_anew() noexcept { asked_ = false; }

 private:
  std::chrono::microseconds pause_{0};
  base::TimePoint due_ = base::kNoDeadline;
  bool asked_ = false;
};

/// A socket that the manager has bound.
struct InheritedSocket {
  base::Address address;
  std::string name;  // of the socket unit, "" if it gave none
  base::Fd socket;
};

/// How many descriptors, from `kFirstInherited` on, are meant for this process. 0 if the variables
/// are not there, not numbers, or for another process.
[[nodiscard]] std::size_t inherited_count(const ServiceEnvironment& environment, pid_t self);
inline constexpr int kFirstInherited = 3;  // SD_LISTEN_FDS_START
/// "a:b:" as it stands in LISTEN_FDNAMES; as many as `count`, empty ones for what is missing.
[[nodiscard]] std::vector<std::string> inherited_names(std::string_view names, std::size_t count);

/// Takes the sockets: close-on-exec, non-blocking. What is not a listening stream socket is closed,
/// and left out with a word in `complaints`.
[[nodiscard]] std::vector<InheritedSocket> take_activated_sockets(
    const ServiceEnvironment& environment, std::vector<std::string>& complaints);

}  // namespace server
