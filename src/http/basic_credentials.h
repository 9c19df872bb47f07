// The user and the password of Basic authentication (RFC 7617).
#pragma once

#include <optional>
#include <string_view>

#include "base/arena.h"

namespace http {

struct BasicCredentials {
  std::string_view user;  // not empty
  std::string_view password;
};

/// Of an Authorization field's value. Nothing if it is of another scheme, no base64, or has no user
/// and colon. As nginx: spaces before the credentials are skipped, and what follows a '=' is not
/// looked at. The views are in the arena.
[[nodiscard]] std::optional<BasicCredentials> parse_basic_credentials(std::string_view value,
                                                                      base::Arena& arena);

}  // namespace http
