// ServerChild: a server process as its supervisor sees it: its pid, the channel to it, and by when
// it has to have done what it was told.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "server/channel.h"
#include "server/messages.h"

namespace observe {
class ErrorLog;
}

namespace server {

class ServerChild {
 public:
  /// Starts one, which waits for its first configuration.
  /// It takes what `machine` says on its way (machine.h); `log` hears of what it can't have.
  [[nodiscard]] static base::Result<std::unique_ptr<ServerChild>> spawn(
      const snapshot::MachineOptions& machine, const observe::ErrorLog& log);

  /// One that runs already and has the other end of `channel`.
  [[nodiscard]] static std::unique_ptr<ServerChild> adopt(pid_t pid, Channel channel);

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] base::TimePoint spawned() const noexcept { return spawned_; }
  /// To poll; -1 once the channel is over.
  [[nodiscard]] int descriptor() const noexcept { return channel_ ? channel_->fd() : -1; }

  /// Once, before its first configuration.
  [[nodiscard]] base::Result<void> begin(const Identity& identity, const Succession& succession);
  [[nodiscard]] base::Result<void> configure(const Configure& message);
  /// Whoever can't be told is ending; the next one is configured with them.
  void use_logs(std::span<const snapshot::ReopenedLog> logs);
  /// Whether it lives; a hanging one does not answer. (MessageType::alive)
  void ask();
  /// What `status` is to tell. One at a time: while the last one is not confirmed, the newest
  /// waits, so that a process that hangs is not sent more and more.
  void inform(InstanceFacts facts);
  /// retire, quit or terminate. What can't be told is ending already, or hangs and is killed. After
  /// `patience`, where one is given, a graceful end becomes an immediate one.
  void end(MessageType how, std::optional<base::Duration> patience = std::nullopt);
  /// The next answer. After an error the channel is closed: an end of the stream means that the
  /// process is dying, anything else that it broke the protocol and must be killed.
  [[nodiscard]] base::Result<Answer> receive();
  void kill() noexcept;

  /// Set once it was told to end.
  [[nodiscard]] const std::optional<base::WallTime>& ending_since() const noexcept {
    return ending_since_;
  }
  /// How many are left to a process that ends, as it said last.
  [[nodiscard]] std::optional<std::uint64_t> connections() const noexcept { return connections_; }

  /// When on_time(now) has something to do; kNoDeadline if never.
  [[nodiscard]] base::TimePoint due() const noexcept;
  /// What happened, to be logged; empty if nothing is due.
  [[nodiscard]] std::string on_time(base::TimePoint now);

  bool has_served = false;  // it was ready, at least once

 private:
  ServerChild(pid_t pid, Channel channel);

  pid_t pid_;
  std::optional<Channel> channel_;
  base::TimePoint spawned_;
  std::optional<base::WallTime> ending_since_;
  std::optional<std::uint64_t> connections_;
  bool informing_ = false;  // not confirmed yet
  std::optional<InstanceFacts> news_;  // for then
  base::TimePoint terminate_at_ = base::kNoDeadline;
  base::TimePoint kill_at_ = base::kNoDeadline;
};

/// "server process 7 exited on signal 9"; `status` is waitpid's.
[[nodiscard]] std::string describe_exit(std::string_view what, pid_t pid, int status);

}  // namespace server
