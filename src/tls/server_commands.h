// ssl_conf_command: OpenSSL's own configuration commands (SSL_CONF_cmd), as far as they fit.
//
// A context of ours is more than its SSL_CTX: policies are compared, switched in the middle of a
// handshake, and after a TLS 1.3 handshake the records are protected here. So what has a field in
// ServerPolicy goes there, what OpenSSL alone cares for is passed on, and what would have no effect
// or would break a promise is refused with a sentence.
#pragma once

#include <string>
#include <vector>

#include "tls/conf_command.h"

namespace tls {

struct ServerPolicy;

/// What is wrong with a command, or what should be told of it. Both empty: nothing.
struct CommandReview {
  std::string problem{};
  std::string warning{};
};
[[nodiscard]] CommandReview review(const ConfCommand& command);

/// Puts `commands`, all of which passed review(), into `policy`: over its fields, the later over
/// the earlier, as nginx applies them last.
void apply(const std::vector<ConfCommand>& commands, ServerPolicy& policy);

}  // namespace tls
