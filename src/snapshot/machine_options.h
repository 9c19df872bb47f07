// What a configuration asks of the machine: descriptors, memory, CPUs, priority, core dumps, and
// the environment of the server process. Plain data: `server` does it (server/machine.h).
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace snapshot {

/// As many as the kernel's cpu_set_t.
inline constexpr std::size_t kMaxCpus = 1024;
using CpuMask = std::bitset<kMaxCpus>;

/// worker_cpu_affinity. Neither `each` nor `automatic`: nothing was said.
struct CpuAffinity {
  std::vector<CpuMask> each;  // by worker; the last one is for all further workers
  bool automatic = false;     // one CPU of `allowed` for each worker, in turn
  CpuMask allowed = CpuMask().set();

  bool operator==(const CpuAffinity&) const = default;
};
/// The CPUs of worker `index`, among those that the process may use; none: leave it as it is.
[[nodiscard]] CpuMask cpus_of_worker(const CpuAffinity& affinity, const CpuMask& usable,
                                     std::size_t index);

struct EnvironmentVariable {
  std::string name;
  std::optional<std::string> value{};  // none: as inherited
  bool operator==(const EnvironmentVariable&) const = default;
};

/// memory_limit: bytes, or what its words mean.
struct MemoryLimit {
  static constexpr std::uint64_t kOff = 0;
  bool automatic = true;  // a part of what the machine or the control group has
  std::uint64_t bytes = kOff;
  bool operator==(const MemoryLimit&) const = default;
};

struct MachineOptions {
  // What a process takes at its start, once.
  std::optional<std::uint64_t> open_files;  // worker_rlimit_nofile
  std::optional<std::uint64_t> core_size;   // worker_rlimit_core
  std::optional<int> priority;
  std::string working_directory;
  std::vector<EnvironmentVariable> environment;
  // What may change while it runs.
  CpuAffinity cpu_affinity;
  MemoryLimit memory;

  /// Whether a process that was started for `other` will do.
  [[nodiscard]] bool starts_like(const MachineOptions& other) const {
    return open_files == other.open_files && core_size == other.core_size &&
           priority == other.priority && working_directory == other.working_directory &&
           environment == other.environment;
  }
};

}  // namespace snapshot
