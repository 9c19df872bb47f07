// The demonstration: what runs where nothing is configured. https on 8443 with a certificate made
// on first use and kept in the user's state directory, http on 8080 that redirects to it, and a
// backend whose page shows the request as it arrived there. Its configuration is a file beside the
// certificate, for everyone to read and to begin from.
#pragma once

#include <cstdint>
#include <string>

#include "server/opening.h"

namespace cli {

/// Runs in the foreground until it is told to end; the exit status. Takes the paths of `options`.
[[nodiscard]] int run_demonstration(const server::StartOptions& options);

/// The configuration; `directory` has the certificate and its key.
[[nodiscard]] std::string demonstration_configuration(const std::string& directory,
                                                      std::uint16_t backend_port);

}  // namespace cli
