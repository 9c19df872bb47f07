// What this program is, for -v, -V, `version` and `status`.
#pragma once

#include <string_view>

namespace server {

/// "0.1.0"
[[nodiscard]] std::string_view version() noexcept;
/// "clang 19.1.4"
[[nodiscard]] std::string_view compiler() noexcept;
/// "OpenSSL 3.0.15": the headers that it was built with. tls::library_version() is what runs.
[[nodiscard]] std::string_view built_with_openssl() noexcept;

}  // namespace server
