// The old program, after an upgrade, as the new one's `status` tells of it. The old supervisor says
// what it does on a socket that the new one inherits (upgrade.h): one packet each time that it
// changes,
//
//   active           it serves, too
//   draining 12      it serves what it has to its end; connections left, if known
//   idle             it serves nobody, and may take over again
//
// and the end of the socket when it is gone. Words, since the two may be of different versions: one
// that is not known changes nothing. Asking the old one's admin socket was rejected: a server
// process that retires has left that to whoever serves.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/result.h"
#include "server/process_facts.h"

namespace server {

[[nodiscard]] std::string_view name_of(OldProgram::State state) noexcept;
[[nodiscard]] std::string packet_of(const OldProgram& program);
/// Nothing: not understood.
[[nodiscard]] std::optional<OldProgram> read_packet(std::string_view packet, pid_t pid);

/// What the old supervisor holds. It never waits: what the new one does not read is lost, and the
/// newest is told with the next change.
class NewBinaryLink {
 public:
  NewBinaryLink() = default;
  /// The other end is for the new binary.
  [[nodiscard]] static base::Result<std::pair<NewBinaryLink, base::Fd>> make();

  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(socket_); }
  /// If it is other than what was told last.
  void tell(const OldProgram& program) noexcept;

 private:
  base::Fd socket_;
  std::string told_;
};

/// What the new supervisor holds. Empty: there is no old program, or it says nothing.
class OldProgramLink {
 public:
  OldProgramLink() = default;
  OldProgramLink(base::Fd socket, pid_t pid) noexcept : socket_(std::move(socket)), pid_(pid) {}

  /// To poll; -1 once the old program is gone.
  [[nodiscard]] int descriptor() const noexcept { return socket_ ? socket_.get() : -1; }
  /// What has come; true if facts() are others now.
  [[nodiscard]] bool take();
  [[nodiscard]] const std::optional<OldProgram>& facts() const noexcept { return facts_; }

 private:
  base::Fd socket_;
  pid_t pid_ = 0;
  std::optional<OldProgram> facts_;
};

}  // namespace server
