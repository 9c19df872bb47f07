// needs: tls
// A ClientHello as its sender likes it: it is read or refused, and its fingerprint has one shape.
#include <cstdint>
#include <span>
#include <string>

#include "base/check.h"
#include "tls/client_hello.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto hello = tls::ClientHello::parse(std::span(data, size));
  if (!hello) return 0;
  CHECK(hello->ciphers.size() + hello->extensions.size() + hello->signature_schemes.size() < size);
  const std::string ja4 = tls::ja4(*hello);
  CHECK(ja4.size() == 36 && ja4[10] == '_' && ja4[23] == '_');
  return 0;
}
