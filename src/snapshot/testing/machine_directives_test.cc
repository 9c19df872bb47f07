#include "snapshot/machine_directives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/memory_files.h"
#include "snapshot/snapshot.h"

namespace snapshot::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Loaded {
  config::MemoryFiles files;
  config::Diagnostics diagnostics;
  std::shared_ptr<const Snapshot> snapshot;

  explicit Loaded(std::string_view main, std::string_view events = "") {
    files.add("/etc/sallyport.conf",
              std::string(main) + "\nevents { " + std::string(events) +
                  " }\nhttp { server { listen 127.0.0.1:80; return 204; } }\n");
    LoadOptions options;
    options.file = "/etc/sallyport.conf";
    options.prefix = "/prefix";
    snapshot = load(options, files, diagnostics);
  }
  [[nodiscard]] const MachineOptions& machine() const { return snapshot->process.machine; }
  [[nodiscard]] std::string messages() const { return diagnostics.render(); }
};

CpuMask cpus(std::string_view digits) { return CpuMask(std::string(digits)); }

TEST(MachineDirectives, FillTheOptions) {
  const Loaded loaded(
      "worker_rlimit_nofile 4096; worker_rlimit_core 500m; worker_priority -5;"
      "working_directory /var/crash; env PATH; env MODE=a=b; memory_limit 2g;");
  ASSERT_NE(loaded.snapshot, nullptr) << loaded.messages();
  const MachineOptions& machine = loaded.machine();
  EXPECT_EQ(machine.open_files, 4096U);
  EXPECT_EQ(machine.core_size, std::uint64_t{500} << 20);
  EXPECT_EQ(machine.priority, -5);
  EXPECT_EQ(machine.working_directory, "/var/crash");
  EXPECT_EQ(machine.environment,
            (std::vector<EnvironmentVariable>{{.name = "PATH"}, {.name = "MODE", .value = "a=b"}}));
  EXPECT_EQ(machine.memory, (MemoryLimit{.automatic = false, .bytes = std::uint64_t{2} << 30}));
  EXPECT_EQ(loaded.diagnostics.warning_count(), 0U) << loaded.messages();
}

TEST(MachineDirectives, AskForNothingByDefault) {
  const Loaded loaded("");
  EXPECT_TRUE(loaded.machine().starts_like(MachineOptions{}));
  EXPECT_TRUE(loaded.machine().memory.automatic);
  EXPECT_TRUE(cpus_of_worker(loaded.machine().cpu_affinity, cpus("11"), 0).none());
}

TEST(MachineDirectives, RefuseWhatMakesNoSense) {
  for (const std::string_view line :
       {"worker_rlimit_nofile 0;", "worker_rlimit_nofile many;", "worker_rlimit_core big;",
        "worker_priority 21;", "worker_priority -21;", "worker_priority high;", "env =x;",
        "memory_limit 1m;", "memory_limit most;", "worker_cpu_affinity 012;",
        "worker_cpu_affinity 000;", "worker_cpu_affinity auto 1 1;",
        "worker_cpu_affinity auto x;"}) {
    const Loaded loaded(line);
    EXPECT_EQ(loaded.snapshot, nullptr) << line;
  }
}

TEST(CpuAffinity, GivesEachWorkerItsMaskAndFurtherOnesTheLast) {
  const Loaded loaded("worker_processes 3; worker_cpu_affinity 0001 10 \"1 00\";");
  ASSERT_NE(loaded.snapshot, nullptr) << loaded.messages();
  EXPECT_EQ(loaded.diagnostics.warning_count(), 0U) << loaded.messages();
  const CpuAffinity& affinity = loaded.machine().cpu_affinity;
  EXPECT_EQ(cpus_of_worker(affinity, cpus("1111"), 0), cpus("0001"));
  EXPECT_EQ(cpus_of_worker(affinity, cpus("1111"), 1), cpus("0010"));
  EXPECT_EQ(cpus_of_worker(affinity, cpus("1111"), 2), cpus("0100"));
  EXPECT_EQ(cpus_of_worker(affinity, cpus("1111"), 9), cpus("0100"));
}

TEST(CpuAffinity, WarnsWhenTheMasksAreNotAsManyAsTheWorkers) {
  EXPECT_THAT(Loaded("worker_processes 3; worker_cpu_affinity 01 10;").messages(),
              HasSubstr("using last mask for remaining workers"));
  EXPECT_THAT(Loaded("worker_processes 3; worker_cpu_affinity 11;").messages(), IsEmpty());
}

TEST(CpuAffinity, AutoGivesOneCpuEachOfThoseThatMayBeUsed) {
  const Loaded loaded("worker_cpu_affinity auto;");
  const CpuAffinity& affinity = loaded.machine().cpu_affinity;
  EXPECT_EQ(cpus_of_worker(affinity, cpus("1010"), 0), cpus("0010"));
  EXPECT_EQ(cpus_of_worker(affinity, cpus("1010"), 1), cpus("1000"));
  EXPECT_EQ(cpus_of_worker(affinity, cpus("1010"), 2), cpus("0010"));
  const Loaded masked("worker_cpu_affinity auto 1100;");
  EXPECT_EQ(cpus_of_worker(masked.machine().cpu_affinity, cpus("1111"), 0), cpus("0100"));
  EXPECT_TRUE(cpus_of_worker(masked.machine().cpu_affinity, cpus("0011"), 0).none())
      << "there is no CPU that both allow";
}

struct Line {
  std::string_view main;
  std::string_view events;
  std::string_view says;  // empty: loads in silence
};

TEST(TuningDirectives, AreSilentWhenWhatTheyAskForIsWhatHappens) {
  const Loaded loaded("debug_points abort; pcre_jit on;",
                      "accept_mutex off; multi_accept on; use epoll;");
  ASSERT_NE(loaded.snapshot, nullptr) << loaded.messages();
  EXPECT_THAT(loaded.messages(), IsEmpty());
}

TEST(TuningDirectives, SayThatTheyHaveNoEffect) {
  for (const Line& line : std::initializer_list<Line>{
           {"", "accept_mutex on;", "\"accept_mutex\" has no effect"},
           {"", "accept_mutex_delay 500ms;", "\"accept_mutex_delay\" has no effect"},
           {"", "multi_accept off;", "\"multi_accept\" has no effect"},
           {"", "use poll;", "\"use\" has no effect: it is always epoll"},
           {"", "epoll_events 1024;", "\"epoll_events\" has no effect"},
           {"", "worker_aio_requests 32;", "\"worker_aio_requests\" has no effect"},
           {"", "debug_connection 127.0.0.1; debug_connection 10.0.0.0/8;",
            "\"debug_connection\" has no effect"},
           {"debug_points stop;", "", "\"debug_points\" has no effect"},
           {"lock_file logs/nginx.lock;", "", "\"lock_file\" has no effect"},
           {"timer_resolution 100ms;", "", "\"timer_resolution\" has no effect"},
           {"pcre_jit off;", "", "\"pcre_jit\" has no effect"},
           {"thread_pool default threads=32 max_queue=65536;", "", "\"thread_pool\" has no effect"},
           {"load_module modules/ngx_http_realip_module.so;", "", "are built in"}}) {
    const Loaded loaded(line.main, line.events);
    EXPECT_NE(loaded.snapshot, nullptr) << loaded.messages();
    EXPECT_THAT(loaded.messages(), HasSubstr(line.says)) << line.main << line.events;
  }
}

TEST(TuningDirectives, AreCheckedAsInNginx) {
  for (const Line& line : std::initializer_list<Line>{
           {"", "accept_mutex maybe;", "it must be \"on\" or \"off\""},
           {"", "use kqueue;", "invalid event type \"kqueue\""},
           {"", "epoll_events none;", "invalid value \"none\""},
           {"", "accept_mutex_delay soon;", "invalid value \"soon\""},
           {"debug_points never;", "", "invalid value \"never\""},
           {"thread_pool files threads=0;", "", "invalid value \"threads=0\""},
           {"thread_pool files max_queue=1;", "", "missing \"threads\" parameter"},
           {"thread_pool files threads=1 size=2;", "", "invalid parameter \"size=2\""},
           {"load_module modules/ngx_stream_module.so;", "", "L4 proxying is not part"},
           {"load_module modules/ngx_http_mystery_module.so;", "",
            "the module \"ngx_http_mystery_module\" cannot be loaded"}}) {
    const Loaded loaded(line.main, line.events);
    EXPECT_EQ(loaded.snapshot, nullptr) << line.main << line.events;
    EXPECT_THAT(loaded.messages(), HasSubstr(line.says)) << line.main << line.events;
  }
}

}  // namespace
}  // namespace snapshot::testing
