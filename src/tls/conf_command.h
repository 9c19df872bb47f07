// ConfCommand: what ssl_conf_command and proxy_ssl_conf_command hand to OpenSSL: `SSL_CONF_cmd NAME
// VALUE`, in the syntax of its configuration files. What becomes of it: server_commands.h,
// client_commands.h.
#pragma once

#include <string>

namespace tls {

struct ConfCommand {
  std::string name;
  std::string value;
  [[nodiscard]] bool operator==(const ConfCommand&) const = default;
};

}  // namespace tls
