// What a process takes of the machine at its start: limits, priority, working directory and
// environment (nginx's worker_rlimit_*, worker_priority, working_directory, env); and what the
// machine has: CPUs, memory.
//
// The supervisor does it for the server process, between fork and exec: limits and priorities may
// need root, which the server gives up. Then nothing of it has to be told over the channel.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "snapshot/snapshot.h"

namespace observe {
class ErrorLog;
}

namespace server {

/// Of the process that calls. What fails is an alert in the log, as in nginx, and the start goes
/// on.
void take_from_machine(const snapshot::MachineOptions& machine, const observe::ErrorLog& log);

/// "NAME=VALUE" for each variable that the server process gets: TZ and what `env` names, as nginx;
/// and what the libraries read at the start of a process, which in nginx's workers has happened
/// before: kLibraryVariables.
[[nodiscard]] std::vector<std::string> server_environment(
    std::span<const snapshot::EnvironmentVariable> kept, const char* const* inherited);
/// The same for the process that calls, while it has one thread.
void clean_environment(std::span<const snapshot::EnvironmentVariable> kept);

/// Warnings and errors that depend on the machine: more connections than descriptors, a working
/// directory that is not there.
void check_machine(const snapshot::ProcessOptions& process, config::Diagnostics& diagnostics);

/// How many descriptors this process may open.
[[nodiscard]] std::uint64_t descriptor_limit() noexcept;

/// Those that this process may use.
[[nodiscard]] snapshot::CpuMask usable_cpus() noexcept;
/// Moves the calling thread there. False: errno says why.
[[nodiscard]] bool run_on(const snapshot::CpuMask& cpus) noexcept;

// --- memory

/// Resident bytes of this process; 0 if unknown.
[[nodiscard]] std::uint64_t resident_memory() noexcept;
/// What `memory_limit` means here and now, in bytes; 0: not watched. `auto` is four fifths of the
/// control group's limit, or of what this process has and the machine has left.
[[nodiscard]] std::uint64_t memory_limit(const snapshot::MemoryLimit& limit);

/// "MemAvailable:  123 kB" of /proc/meminfo, in bytes.
[[nodiscard]] std::optional<std::uint64_t> available_memory(std::string_view meminfo) noexcept;
/// The path of the one line "0::/PATH" of /proc/self/cgroup (version 2).
[[nodiscard]] std::optional<std::string> control_group(std::string_view cgroup);

}  // namespace server
