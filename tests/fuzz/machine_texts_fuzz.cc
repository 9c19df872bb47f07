// needs: server
// Texts of /proc and of control groups: whatever stands there gives a number within bounds or a
// path, or nothing.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "server/machine.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto bytes = server::available_memory(text)) {
    CHECK(*bytes % 1024 == 0 && *bytes >> 60 == 0);
  }
  if (const auto group = server::control_group(text)) {
    CHECK(group->starts_with('/') && group->find('\n') == std::string::npos);
    CHECK(text.find("0::" + *group) != std::string_view::npos);
    // memory_limit() goes up from group to group.
    std::string up = *group;
    while (up.size() > 1) up.resize(up.rfind('/'));
  }
  return 0;
}
