// `sallyport diff -c NEW`: what a configuration would change in a running instance, before anyone
// applies it. The running one comes as an outline from the admin socket, the new one is loaded here
// as `check` does, with the instance's own prefix and -g; so what is compared is what a reload
// would bring. Exit status as of diff(1).
#pragma once

#include <string>

#include "server/opening.h"

namespace cli {

/// `socket`: the admin socket, empty for the usual one. 0: no difference, 1: some, 2: trouble.
[[nodiscard]] int run_diff(server::StartOptions options, const std::string& socket, bool json);

}  // namespace cli
