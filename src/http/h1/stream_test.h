// What the tests of the classes on streams share (io/testing/pipe_world.h).
#pragma once

#include "io/testing/pipe_world.h"

namespace http::h1 {

using io::testing::CountingStream;

struct StreamWorld : io::testing::PipeWorld {
  using PipeWorld::PipeWorld;
  std::string heard() { return heard_bytes(); }
};

}  // namespace http::h1
