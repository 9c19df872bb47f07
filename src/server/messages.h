// What the supervisor and the server tell each other, on a Channel.
//
//   supervisor → server   begin, the first one; configure; quit (gracefully), terminate (at once);
//   retire: quit, and leave
//                         the admin socket to the process that has taken over; use_logs: files that
//                         were opened again, with their descriptors; ask: is it alive?; inform:
//                         what `status` is to tell of the other processes
//   server → supervisor   ready (the generation is adopted by every worker), rejected (why not; the
//                         old one goes on), alive (every worker has taken a turn), informed (one
//                         more may come), draining (it ends; how many connections are left)
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"
#include "config/file_source.h"
#include "config/recorded_files.h"
#include "server/channel.h"
#include "server/privileges.h"
#include "server/process_facts.h"
#include "server/succession.h"
#include "snapshot/snapshot.h"

namespace server {

enum class MessageType : std::uint32_t {
  configure = 1,
  quit = 2,
  terminate = 3,
  retire = 4,
  use_logs = 5,
  ask = 6,
  inform = 7,
  begin = 8,
  ready = 16,
  rejected = 17,
  alive = 18,
  informed = 19,
  draining = 20,
};

/// A listening address. TCP: one SO_REUSEPORT socket per worker. Unix: one that all share.
struct ListenerSockets {
  base::Address address;
  bool tls = false;
  std::vector<base::Fd> sockets{};
  bool activated = false;  // the service manager's: its file is not ours to remove; not sent
};

/// What a server process learns while it has nothing in its memory yet.
struct Beginning {
  Identity identity;
  Succession succession;
};

struct Configure {
  std::uint64_t generation = 0;
  snapshot::LoadOptions load;
  config::Prefixes prefixes;
  std::vector<config::FileRecord> files;
  std::vector<ListenerSockets> listeners;
  base::Fd admin_socket;
  base::Fd ticket_secret;  // tls::TicketSecret's; in the first one of a process
  std::uint32_t workers = 1;
  std::uint32_t restarts = 0;  // of the server process, so far
  Identity identity;  // not sent: it comes with the Beginning
};

// More workers than this are a mistake.
inline constexpr std::uint32_t kMaxWorkers = 1024;

// Generous: a configuration with tens of thousands of certificates fits.
inline constexpr MessageLimits kConfigureLimits{.payload = std::size_t{1} << 30,
                                                .descriptors = std::size_t{1} << 20};
// The server is the side that may be taken over: what it says is short.
inline constexpr MessageLimits kAnswerLimits{.payload = std::size_t{64} << 10, .descriptors = 0};

[[nodiscard]] base::Result<void> send_beginning(Channel& channel, const Identity& identity,
                                                const Succession& succession,
                                                base::Deadline deadline);
[[nodiscard]] base::Result<Beginning> decode_beginning(Message message);

[[nodiscard]] base::Result<void> send_configure(Channel& channel, const Configure& message,
                                                base::Deadline deadline);
/// Strict: every count is checked against what is left, nothing may remain.
[[nodiscard]] base::Result<Configure> decode_configure(Message message);

[[nodiscard]] base::Result<void> send_logs(Channel& channel,
                                           std::span<const snapshot::ReopenedLog> logs,
                                           base::Deadline deadline);
[[nodiscard]] base::Result<std::vector<snapshot::ReopenedLog>> decode_logs(Message message);

/// Texts are cut to what a page can show.
[[nodiscard]] base::Result<void> send_facts(Channel& channel, const InstanceFacts& facts,
                                            base::Deadline deadline);
[[nodiscard]] base::Result<InstanceFacts> decode_facts(const Message& message);

struct Answer {
  MessageType type;
  std::uint64_t generation = 0;
  std::uint64_t connections = 0;  // draining
  std::string text{};  // rejected
};
[[nodiscard]] base::Result<void> send_answer(Channel& channel, const Answer& answer,
                                             base::Deadline deadline);
[[nodiscard]] base::Result<Answer> decode_answer(const Message& message);

}  // namespace server
