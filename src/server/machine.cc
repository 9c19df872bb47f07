#include "server/machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/fd.h"
#include "base/result.h"
#include "base/text.h"
#include "observe/error_log.h"

namespace server {
namespace {

using snapshot::CpuMask;
using snapshot::EnvironmentVariable;
using snapshot::MachineOptions;

static_assert(snapshot::kMaxCpus == CPU_SETSIZE);

// What libc, the loader, OpenSSL and c-ares look for when a process starts, and what tells that
// standard error is the journal (observe/journal.h).
constexpr std::array<std::string_view, 13> kLibraryVariables{
    "TZ",          "SSL_CERT_FILE",  "SSL_CERT_DIR",    "OPENSSL_CONF",     "OPENSSL_MODULES",
    "LD_PRELOAD",  "GLIBC_TUNABLES", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "RES_OPTIONS",
    "LOCALDOMAIN", "CARES_HOSTS",    "JOURNAL_STREAM"};
#ifdef SALLYPORT_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

bool is_library_variable(std::string_view name) {
  return std::ranges::find(kLibraryVariables, name) != kLibraryVariables.end() ||
         (kSanitized && name.ends_with("SAN_OPTIONS"));
}

std::string_view name_of(std::string_view assignment) {
  return assignment.substr(0, assignment.find('='));
}

void raise_limit(__rlimit_resource resource, std::string_view name, std::uint64_t value,
                 const observe::ErrorLog& log) {
  const rlimit limit{.rlim_cur = value, .rlim_max = value};
  if (::setrlimit(resource, &limit) == 0) return;
  log.write(observe::Level::alert,
            base::describe(base::error_from_errno(errno, "setrlimit() failed")) +
                fmt::format(" for {} = {}", name, value));
}

std::string read_file(const char* path) {
  const base::Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  std::string text(4096, '\0');
  const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : -1;
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

/// "max" and what is no number are no limit.
std::optional<std::uint64_t> group_limit(const std::string& path) {
  std::string text = read_file(path.c_str());
  while (text.ends_with('\n')) text.pop_back();
  return base::parse_number<std::uint64_t>(text);
}

/// The smallest limit of this process's control group and of those around it.
std::optional<std::uint64_t> control_group_limit() {
  auto group = control_group(read_file("/proc/self/cgroup"));
  std::optional<std::uint64_t> smallest;
  while (group) {
    const auto limit = group_limit("/sys/fs/cgroup" + *group + "/memory.max");
    if (limit) smallest = std::min(*limit, smallest.value_or(*limit));
    if (group->size() <= 1) break;
    group->resize(group->rfind('/'));
  }
  return smallest;
}

}  // namespace

void take_from_machine(const MachineOptions& machine, const observe::ErrorLog& log) {
  if (machine.open_files) raise_limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", *machine.open_files, log);
  if (machine.core_size) raise_limit(RLIMIT_CORE, "RLIMIT_CORE", *machine.core_size, log);
  if (machine.priority && ::setpriority(PRIO_PROCESS, 0, *machine.priority) != 0) {
    log.write(observe::Level::alert,
              base::describe(base::error_from_errno(errno, "setpriority() failed")) +
                  fmt::format(" for {}", *machine.priority));
  }
  if (!machine.working_directory.empty() && ::chdir(machine.working_directory.c_str()) != 0) {
    log.write(observe::Level::alert,
              fmt::format("chdir(\"{}\") {}", machine.working_directory,
                          base::describe(base::error_from_errno(errno, "failed"))));
  }
}

std::vector<std::string> server_environment(std::span<const EnvironmentVariable> kept,
                                            const char* const* inherited) {
  std::vector<std::string> environment;
  for (const EnvironmentVariable& variable : kept) {
    if (variable.value) environment.push_back(variable.name + "=" + *variable.value);
  }
  const auto is_there = [&](std::string_view name) {
    return std::ranges::find(environment, name, name_of) != environment.end();
  };
  for (; inherited != nullptr && *inherited != nullptr; ++inherited) {
    const std::string_view name = name_of(*inherited);
    const bool is_kept = std::ranges::find(kept, name, &EnvironmentVariable::name) != kept.end();
    if ((is_kept || is_library_variable(name)) && !is_there(name)) {
      environment.emplace_back(*inherited);
    }
  }
  return environment;
}

void clean_environment(std::span<const EnvironmentVariable> kept) {
  const std::vector<std::string> environment = server_environment(kept, ::environ);
  ::clearenv();
  for (const std::string& assignment : environment) {
    const std::string name(name_of(assignment));
    ::setenv(name.c_str(), assignment.c_str() + std::min(assignment.size(), name.size() + 1), 1);
  }
}

void check_machine(const snapshot::ProcessOptions& process, config::Diagnostics& diagnostics) {
  const MachineOptions& machine = process.machine;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::uint64_t files = machine.open_files.value_or(limit.rlim_max);
  const std::uint64_t connections =
      std::uint64_t{process.worker_connections} * process.worker_processes;
  if (connections > files) {
    diagnostics.warning(
        {},
        fmt::format("{} worker_connections exceed open file resource limit: {}", connections,
                    files),
        fmt::format("the {} workers are threads of one process and share its descriptors: raise "
                    "worker_rlimit_nofile",
                    process.worker_processes));
  }
  const std::string& directory = machine.working_directory;
  if (!directory.empty() && ::access(directory.c_str(), X_OK) != 0) {
    diagnostics.error({},
                      fmt::format("chdir(\"{}\") {}", directory,
                                  base::describe(base::error_from_errno(errno, "failed"))),
                      "working_directory must be there when the program starts");
  }
}

std::uint64_t descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  return limit.rlim_cur;
}

CpuMask usable_cpus() noexcept {
  CpuMask mask;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(::getpid(), sizeof set, &set) != 0) return mask.set();
  for (std::size_t cpu = 0; cpu < mask.size(); ++cpu) mask.set(cpu, CPU_ISSET(cpu, &set));
  return mask;
}

bool run_on(const CpuMask& cpus) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (std::size_t cpu = 0; cpu < cpus.size(); ++cpu) {
    if (cpus.test(cpu)) CPU_SET(cpu, &set);
  }
  return ::sched_setaffinity(0, sizeof set, &set) == 0;  // 0: the thread
}

std::uint64_t resident_memory() noexcept {
  std::array<char, 128> text{};
  const base::Fd file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (got <= 0) return 0;
  std::string_view fields(text.data(), static_cast<std::size_t>(got));
  fields.remove_prefix(std::min(fields.size(), fields.find(' ') + 1));  // behind the total
  const auto pages = base::parse_number<std::uint64_t>(fields.substr(0, fields.find(' ')));
  return pages.value_or(0) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t memory_limit(const snapshot::MemoryLimit& limit) {
  if (!limit.automatic) return limit.bytes;
  std::uint64_t most = 0;
  if (const auto free = available_memory(read_file("/proc/meminfo"))) {
    most = resident_memory() + *free;
  }
  if (const auto group = control_group_limit()) most = most == 0 ? *group : std::min(most, *group);
  return most / 5 * 4;
}

std::optional<std::uint64_t> available_memory(std::string_view meminfo) noexcept {
  constexpr std::string_view kName = "MemAvailable:";
  const std::size_t at = meminfo.find(kName);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = meminfo.substr(at + kName.size());
  rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(' ')));
  const auto kilobytes = base::parse_number<std::uint64_t>(rest.substr(0, rest.find(' ')));
  if (!kilobytes || *kilobytes >> 50 != 0) return std::nullopt;
  return *kilobytes << 10;
}

std::optional<std::string> control_group(std::string_view cgroup) {
  while (!cgroup.empty()) {
    const std::string_view line = cgroup.substr(0, cgroup.find('\n'));
    cgroup.remove_prefix(std::min(cgroup.size(), line.size() + 1));
    if (line.starts_with("0::/")) return std::string(line.substr(3));
  }
  return std::nullopt;
}

}  // namespace server
