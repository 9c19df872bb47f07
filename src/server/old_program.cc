#include "server/old_program.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"

namespace server {
namespace {

constexpr std::array<std::string_view, 3> kStates = {"active", "draining", "idle"};
constexpr std::size_t kMaxPacket = 256;  // later versions may say more

}  // namespace

std::string_view name_of(OldProgram::State state) noexcept {
  return kStates[static_cast<std::size_t>(state)];
}

std::string packet_of(const OldProgram& program) {
  std::string packet(name_of(program.state));
  if (program.connections) packet += fmt::format(" {}", *program.connections);
  return packet;
}

std::optional<OldProgram> read_packet(std::string_view packet, pid_t pid) {
  const std::string_view word = packet.substr(0, packet.find(' '));
  const auto found = std::ranges::find(kStates, word);
  if (found == kStates.end()) return std::nullopt;
  OldProgram program{.pid = pid, .state = static_cast<OldProgram::State>(found - kStates.begin())};
  packet.remove_prefix(std::min(packet.size(), word.size() + 1));
  program.connections = base::parse_number<std::uint64_t>(packet.substr(0, packet.find(' ')));
  return program;
}

base::Result<std::pair<NewBinaryLink, base::Fd>> NewBinaryLink::make() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return base::fail(base::error_from_errno(errno, "socketpair() failed"));
  }
  std::pair<NewBinaryLink, base::Fd> made;
  made.first.socket_ = base::Fd(ends[0]);
  made.second = base::Fd(ends[1]);
  return made;
}

void NewBinaryLink::tell(const OldProgram& program) noexcept {
  if (!socket_) return;
  std::string packet = packet_of(program);
  if (packet == told_) return;
  const auto sent =
      ::send(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(packet.size())) told_ = std::move(packet);
}

bool OldProgramLink::take() {
  if (!socket_) return false;
  const std::optional<OldProgram> before = facts_;
  for (;;) {
    std::array<char, kMaxPacket> buffer{};
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) {
      const std::string_view packet(buffer.data(), static_cast<std::size_t>(size));
      if (const auto program = read_packet(packet, pid_)) facts_ = program;
      continue;
    }
    if (size < 0 && errno == EINTR) continue;
    if (size == 0 || errno != EAGAIN) {
      socket_.close();
      facts_.reset();
    }
    return facts_ != before;
  }
}

}  // namespace server
