// `check`, -t and -T: tests a configuration and says all that is wrong with it.
#pragma once

#include "cli/command_line.h"
#include "server/opening.h"

namespace cli {

struct CheckRequest {
  bool json = false;
  bool verbose = false;     // -v: also which directives have no meaning here
  bool from_nginx = false;  // --from nginx: also which differences from nginx touch the file
};

/// The exit status. Messages go to stderr as nginx's do; JSON, the dump and what was asked for
/// besides go to stdout.
[[nodiscard]] int run_check(const CommandLine& line, const server::StartOptions& options,
                            const CheckRequest& request);

}  // namespace cli
