#include "snapshot/machine_directives.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "config/setters.h"

namespace snapshot {
namespace {

using config::Binding;
using config::Context;
using S = MachineSettings;

// What setpriority(2) takes without cutting.
constexpr unsigned kFarthestNice = 20;
// Below this the program itself does not fit.
constexpr std::uint64_t kLeastMemory = std::uint64_t{8} << 20;

/// "0101": the rightmost digit is CPU 0. Blanks may group the digits.
std::optional<CpuMask> read_mask(const Binding& binding, std::size_t i) {
  CpuMask mask;
  std::size_t cpu = 0;
  const std::string& text = binding.argument(i);
  for (auto at = text.rbegin(); at != text.rend(); ++at) {
    if (*at == ' ') continue;
    if (*at != '0' && *at != '1') {
      binding.invalid(i, "a mask is written in the digits 0 and 1, one for each CPU");
      return std::nullopt;
    }
    if (cpu == kMaxCpus) {
      binding.invalid(i, fmt::format("a mask has at most {} CPUs", kMaxCpus));
      return std::nullopt;
    }
    mask.set(cpu++, *at == '1');
  }
  if (mask.none()) {
    binding.invalid(i, "a worker needs a CPU");
    return std::nullopt;
  }
  return mask;
}

void set_cpu_affinity(Binding& binding) {
  CpuAffinity affinity;
  affinity.automatic = binding.argument(0) == "auto";
  if (affinity.automatic && binding.count() > 2) {
    return binding.error("invalid number of arguments in \"worker_cpu_affinity\" directive",
                         "after auto there is at most one mask");
  }
  for (std::size_t i = affinity.automatic ? 1 : 0; i < binding.count(); ++i) {
    const auto mask = read_mask(binding, i);
    if (!mask) return;
    if (affinity.automatic) {
      affinity.allowed = *mask;
    } else {
      affinity.each.push_back(*mask);
    }
  }
  binding.options<S>().cpu_affinity.set(std::move(affinity), binding.where());
}

void set_priority(Binding& binding) {
  std::string_view digits = binding.argument(0);
  const bool first = digits.starts_with('-');
  if (first) digits.remove_prefix(1);
  const auto number = base::parse_number<unsigned>(digits);
  if (!number || *number > kFarthestNice) {
    return binding.invalid(0, fmt::format("it must be a number from -{0} to {0}", kFarthestNice));
  }
  const int nice = static_cast<int>(*number);
  binding.options<S>().priority.set(first ? -nice : nice, binding.where());
}

void add_environment(Binding& binding) {
  const std::string& text = binding.argument(0);
  const std::size_t equals = text.find('=');
  EnvironmentVariable variable{.name = text.substr(0, equals)};
  if (variable.name.empty()) return binding.invalid(0, "a variable has a name: NAME or NAME=VALUE");
  if (equals != std::string::npos) variable.value = text.substr(equals + 1);
  binding.options<S>().environment.append(std::move(variable), binding.where());
}

void set_memory_limit(Binding& binding) {
  MemoryLimit limit{.automatic = binding.argument(0) == "auto"};
  if (!limit.automatic && binding.argument(0) != "off") {
    limit.bytes = config::read_size(binding).value_or(0);
    if (limit.bytes < kLeastMemory) {
      return binding.invalid(
          0, fmt::format("it must be auto, off, or a size from {}m", kLeastMemory >> 20));
    }
  }
  binding.options<S>().memory.set(limit, binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "worker_rlimit_nofile",
     .contexts = Context::main,
     .syntax = "NUMBER",
     .documentation = "Descriptors that the server process may have; else all the system allows.",
     .set = config::set_number<&S::open_files, 1, (std::uint64_t{1} << 30)>},
    {.name = "worker_rlimit_core",
     .contexts = Context::main,
     .syntax = "SIZE",
     .documentation = "Core dumps of the server process, up to this size; they contain secrets.",
     .set = config::set_size<&S::core_size>},
    {.name = "worker_cpu_affinity",
     .contexts = Context::main,
     .arguments = config::takes_at_least(1),
     .syntax = "MASK ... | auto [MASK]",
     .documentation = "CPUs for each worker thread; auto: one for each, in turn.",
     .set = set_cpu_affinity},
    {.name = "worker_priority",
     .contexts = Context::main,
     .syntax = "NUMBER",
     .default_text = "0",
     .documentation = "The server process's nice value: -20 comes first, 20 last.",
     .set = set_priority},
    {.name = "working_directory",
     .contexts = Context::main,
     .syntax = "DIRECTORY",
     .documentation = "The server process's working directory: where a core dump goes.",
     .set = config::set_text<&S::working_directory>},
    {.name = "env",
     .contexts = Context::main,
     .repeat = config::Repeat::repeatable,
     .syntax = "NAME[=VALUE]",
     .default_text = "TZ",
     .documentation = "A variable that the server process keeps of its environment, or is given.",
     .set = add_environment},
    {.name = "memory_limit",
     .contexts = Context::main,
     .syntax = "auto | off | SIZE",
     .default_text = "auto",
     .documentation = "Memory near which idle connections are closed and new ones wait.",
     .set = set_memory_limit},
};

/// nginx's sentence: a worker that finds no mask of its own takes the last one.
void check_masks(const config::Setting<CpuAffinity>& affinity, unsigned workers,
                 config::Diagnostics& diagnostics) {
  const std::size_t masks = affinity->each.size();
  if (masks <= 1 || masks == workers) return;
  diagnostics.warning(affinity.where,
                      "the number of \"worker_processes\" is not equal to the number of "
                      "\"worker_cpu_affinity\" masks, using last mask for remaining workers",
                      fmt::format("{} workers, {} masks", workers, masks));
}

template <class T>
std::optional<T> if_set(const config::Setting<T>& setting) {
  return setting.is_set ? std::optional<T>(*setting) : std::nullopt;
}

}  // namespace

const config::Feature kMachineFeature{"machine", kDirectives, nullptr};

CpuMask cpus_of_worker(const CpuAffinity& affinity, const CpuMask& usable, std::size_t index) {
  if (!affinity.automatic) {
    if (affinity.each.empty()) return {};
    return affinity.each[std::min(index, affinity.each.size() - 1)];
  }
  const CpuMask pool = affinity.allowed & usable;
  CpuMask one;
  if (pool.none()) return one;
  std::size_t left = index % pool.count();
  for (std::size_t cpu = 0; cpu < kMaxCpus; ++cpu) {
    if (pool.test(cpu) && left-- == 0) return one.set(cpu);
  }
  return one;
}

MachineOptions machine_options(const config::Level& root, unsigned workers,
                               config::Diagnostics& diagnostics) {
  MachineOptions machine;
  const auto* settings = root.find<MachineSettings>();
  if (settings == nullptr) return machine;
  machine.open_files = if_set(settings->open_files);
  machine.core_size = if_set(settings->core_size);
  machine.priority = if_set(settings->priority);
  machine.working_directory = *settings->working_directory;
  machine.environment = *settings->environment;
  machine.cpu_affinity = *settings->cpu_affinity;
  machine.memory = *settings->memory;
  check_masks(settings->cpu_affinity, workers, diagnostics);
  return machine;
}

}  // namespace snapshot
