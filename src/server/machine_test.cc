#include "server/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace server {
namespace {

using snapshot::EnvironmentVariable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::array<const char*, 6> kInherited{"PATH=/bin", "TZ=Europe/Berlin",  "SECRET=x",
                                                "TZ_NOT=1",  "SSL_CERT_FILE=/ca", nullptr};

TEST(ServerEnvironment, LetsTheServerProcessKnowTheJournal) {
  constexpr std::array<const char*, 2> kOfSystemd{"JOURNAL_STREAM=8:1234", nullptr};
  EXPECT_THAT(server_environment({}, kOfSystemd.data()), ElementsAre("JOURNAL_STREAM=8:1234"));
}

TEST(ServerEnvironment, KeepsTheTimeZoneAndWhatLibrariesReadAndNothingElse) {
  EXPECT_THAT(server_environment({}, kInherited.data()),
              ElementsAre("TZ=Europe/Berlin", "SSL_CERT_FILE=/ca"));
  EXPECT_THAT(server_environment({}, nullptr), IsEmpty());
}

TEST(ServerEnvironment, KeepsWhatIsNamedAndSetsWhatIsGiven) {
  const std::vector<EnvironmentVariable> kept{
      {.name = "PATH"}, {.name = "ABSENT"}, {.name = "MODE", .value = "a=b"}};
  EXPECT_THAT(server_environment(kept, kInherited.data()),
              ElementsAre("MODE=a=b", "PATH=/bin", "TZ=Europe/Berlin", "SSL_CERT_FILE=/ca"));
}

TEST(ServerEnvironment, PrefersTheGivenValueToTheInheritedOne) {
  const std::vector<EnvironmentVariable> kept{{.name = "TZ", .value = "UTC"},
                                              {.name = "SECRET", .value = ""}};
  EXPECT_THAT(server_environment(kept, kInherited.data()),
              ElementsAre("TZ=UTC", "SECRET=", "SSL_CERT_FILE=/ca"));
}

TEST(CheckMachine, WarnsOfMoreConnectionsThanDescriptors) {
  snapshot::ProcessOptions process;
  process.worker_processes = 4;
  process.worker_connections = 300;
  process.machine.open_files = 1000;
  config::Diagnostics diagnostics;
  check_machine(process, diagnostics);
  ASSERT_EQ(diagnostics.warning_count(), 1U);
  EXPECT_EQ(diagnostics.list().front().message,
            "1200 worker_connections exceed open file resource limit: 1000");
  process.machine.open_files = 1200;
  config::Diagnostics none;
  check_machine(process, none);
  EXPECT_EQ(none.warning_count(), 0U);
}

TEST(CheckMachine, RefusesAWorkingDirectoryThatIsNotThere) {
  snapshot::ProcessOptions process;
  process.machine.working_directory = "/no/such/directory";
  config::Diagnostics diagnostics;
  check_machine(process, diagnostics);
  ASSERT_TRUE(diagnostics.has_errors());
  EXPECT_THAT(diagnostics.list().front().message,
              HasSubstr("chdir(\"/no/such/directory\") failed"));
}

TEST(AvailableMemory, ReadsTheLineOfThatName) {
  EXPECT_EQ(available_memory("MemTotal:  9 kB\nMemAvailable:    2 kB\nX: 1 kB\n"), 2048U);
  EXPECT_EQ(available_memory("MemTotal: 9 kB\n"), std::nullopt);
  EXPECT_EQ(available_memory("MemAvailable: much kB\n"), std::nullopt);
  EXPECT_EQ(available_memory("MemAvailable: 18446744073709551615 kB\n"), std::nullopt);
  EXPECT_EQ(available_memory("MemAvailable:"), std::nullopt);
}

TEST(ControlGroup, IsThePathOfVersionTwo) {
  EXPECT_EQ(control_group("12:cpu:/a\n0::/system.slice/x.service\n"), "/system.slice/x.service");
  EXPECT_EQ(control_group("0::/\n"), "/");
  EXPECT_EQ(control_group("12:cpu:/a\n"), std::nullopt);
  EXPECT_EQ(control_group(""), std::nullopt);
}

TEST(MemoryLimit, IsWhatWasGivenOrAPartOfWhatThereIs) {
  EXPECT_EQ(memory_limit({.automatic = false, .bytes = 123}), 123U);
  EXPECT_EQ(memory_limit({.automatic = false, .bytes = snapshot::MemoryLimit::kOff}), 0U);
  EXPECT_GT(memory_limit({}), resident_memory());
}

}  // namespace
}  // namespace server
