#include "server/build_info.h"

#include <fmt/format.h>

namespace server {

std::string_view version() noexcept { return SALLYPORT_VERSION; }

std::string_view compiler() noexcept {
  static const std::string text =
      fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
  return text;
}

std::string_view built_with_openssl() noexcept { return "OpenSSL " SALLYPORT_OPENSSL_VERSION; }

}  // namespace server
