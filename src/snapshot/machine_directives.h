// The directives of the main context that concern the machine: limits, CPUs, environment.
#pragma once

#include "config/directive.h"
#include "snapshot/machine_options.h"

namespace snapshot {

struct MachineSettings {
  config::Setting<std::uint64_t> open_files;
  config::Setting<std::uint64_t> core_size;
  config::Setting<int> priority;
  config::Setting<std::string> working_directory;
  config::Setting<std::vector<EnvironmentVariable>> environment;
  config::Setting<CpuAffinity> cpu_affinity;
  config::Setting<MemoryLimit> memory;
};

extern const config::Feature kMachineFeature;

/// What the main level says, checked against the number of workers.
[[nodiscard]] MachineOptions machine_options(const config::Level& root, unsigned workers,
                                             config::Diagnostics& diagnostics);

}  // namespace snapshot
