// The directives of the main and events contexts.
#pragma once

#include <chrono>
#include <string>
#include <tuple>

#include "config/directive.h"

namespace snapshot {

struct MainOptions {
  config::Setting<std::string> user;
  config::Setting<std::string> group;
  config::Setting<bool> daemon{true};
  config::Setting<bool> master_process{true};
  config::Setting<std::string> pid;
  config::Setting<unsigned> worker_processes{1};  // 0: auto
  config::Setting<std::uint64_t> worker_connections{512};
  config::Setting<std::uint64_t> worker_certificates{1000};
  config::Setting<bool> compat_nginx{false};
  config::Setting<std::string> key_group;
  config::Setting<std::chrono::milliseconds> shutdown_timeout{
      std::chrono::milliseconds(0)};  // 0: no limit
};

extern const config::Feature kProcessFeature;

}  // namespace snapshot
