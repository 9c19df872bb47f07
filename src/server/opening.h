// Opening: what the supervisor does with a configuration before anybody serves it: reads it, opens
// every file it names, binds its listeners, looks up its user. All or nothing; every mistake is
// reported.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/diagnostics.h"
#include "config/file_source.h"
#include "server/messages.h"
#include "server/paths.h"
#include "snapshot/snapshot.h"

namespace server {

/// What the command line decided.
struct StartOptions {
  Paths paths;
  snapshot::LoadOptions load;
  std::string note{};  // printed to standard output once everything listens
  std::vector<std::string> command{};  // starts this program again, for an upgrade
};

struct Opening {
  std::shared_ptr<const snapshot::Snapshot> snapshot;
  Configure message;

  [[nodiscard]] std::string pid_file(const Paths& paths) const;
};

[[nodiscard]] config::Prefixes prefixes_of(const snapshot::LoadOptions& load);

/// Reads and builds from the disk: what `check` does.
[[nodiscard]] std::optional<Opening> read_configuration(const StartOptions& options,
                                                        config::Diagnostics& diagnostics);
/// Reads, then opens sockets. `current`: sockets that are open already; those of addresses that
/// stay are shared. `workers` 0: as many as the configuration says.
[[nodiscard]] std::optional<Opening> open_configuration(const StartOptions& options,
                                                        std::span<const ListenerSockets> current,
                                                        unsigned workers,
                                                        config::Diagnostics& diagnostics);

/// The directives in which `wanted` differs from `have` and that a running server process can't
/// take over: a new one is needed.
[[nodiscard]] std::vector<std::string_view> needs_new_process(
    const snapshot::ProcessOptions& have, const snapshot::ProcessOptions& wanted);

/// One socket per worker with SO_REUSEPORT, or one for a Unix address. `ignored` gets the options
/// that the kernel did not take.
[[nodiscard]] base::Result<ListenerSockets> open_sockets(const snapshot::ListenerSpec& spec,
                                                         unsigned workers,
                                                         std::vector<io::OptionFailure>& ignored);

/// Options of sockets that listen already; what the kernel did not take.
std::vector<io::OptionFailure> change_options(const ListenerSockets& open,
                                              const io::ListenOptions& options);
/// After a reload that was given up: the sockets have again what the configuration says that goes
/// on.
void restore_options(const Opening& opening);

/// Removes the files of the Unix sockets in `gone` that are not in `kept`.
void unlink_sockets(std::span<const ListenerSockets> gone, std::span<const ListenerSockets> kept);

/// "MESSAGE in FILE:LINE", for the error log.
[[nodiscard]] std::string one_line(const config::Diagnostic& diagnostic);
/// The first of the errors, in one line.
[[nodiscard]] std::string in_short(const config::Diagnostics& diagnostics);

}  // namespace server
