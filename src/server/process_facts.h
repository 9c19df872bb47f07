// What `status` tells about the processes.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/clock.h"

namespace server {

struct ProcessFacts {
  pid_t supervisor = 0;
  pid_t server = 0;
  std::uint32_t restarts = 0;
  base::WallTime started;
  uid_t owner = 0;  // may ask, besides root
};

}  // namespace server
