// Syslog: lines to a syslog server, over UDP or a Unix datagram socket, in the format of RFC 3164
// as nginx writes it:
//
//   <PRI>Nov 26 14:27:29 HOSTNAME TAG: LINE        PRI = facility * 8 + severity
//
// One datagram is one line, so nothing is connected and nothing need be connected again: a UDP
// socket is connected only to hear of refusals, and a Unix server is named with each datagram, so
// that one that comes back is found. Messages are never queued here. What can't be sent is lost,
// and the caller is told.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "observe/losses.h"

namespace observe {

struct SyslogOptions {
  base::Address server;
  std::string name;              // of the server, as configured: for messages
  std::uint8_t facility = 23;  // local7
  std::uint8_t severity = 6;   // info; error logs have each line's own
  std::string tag = "sallyport";
  bool hostname = true;
};

/// By RFC 3164 §4.1.1, with nginx's names; "emerg" is 0 and "debug" 7 for severities.
[[nodiscard]] std::optional<std::uint8_t> parse_facility(std::string_view word) noexcept;

class Syslog {
 public:
  /// Longer datagrams are cut: beyond it UDP has none.
  static constexpr std::size_t kMaxDatagram = 65'000;
  /// How long a patient send() waits for a Unix server that is behind.
  static constexpr std::chrono::milliseconds kPatience{100};

  /// Only makes a socket: whether anybody listens shows when something is sent.
  explicit Syslog(SyslogOptions options);

  enum class Patience : bool { none, some };
  /// Sends a line (its line feed is left out). From any thread.
  [[nodiscard]] base::Result<void> send(std::uint8_t severity, std::string_view line,
                                        base::WallTime time, Patience patience) const noexcept;

  [[nodiscard]] const SyslogOptions& options() const noexcept { return options_; }
  [[nodiscard]] Losses& losses() const noexcept { return losses_; }

 private:
  [[nodiscard]] bool connect() const noexcept;

  SyslogOptions options_;
  std::string hostname_;
  base::Fd socket_;
  mutable std::atomic<bool> connected_ = false;  // UDP
  mutable Losses losses_;
};

/// The datagram. For tests, too.
[[nodiscard]] std::string format_datagram(const SyslogOptions& options, std::string_view hostname,
                                          std::uint8_t severity, std::string_view line,
                                          base::WallTime time);

}  // namespace observe
