// proxy_ssl_conf_command: commands are applied after everything else, in order, so that they have
// the last word, but for what keeps a connection safe: whom to trust and whose key to use are
// directives' own, a cipher without a certificate or without encryption is refused, and compression
// and renegotiation stay off.
#pragma once

#include <string>

#include "tls/conf_command.h"

namespace tls {

/// Tries a command alone, toward servers. A sentence in nginx's words, or empty.
[[nodiscard]] std::string problem_of(const ConfCommand& command);

}  // namespace tls
