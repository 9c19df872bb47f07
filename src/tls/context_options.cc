// Settings that server and client contexts share, from this program's words to OpenSSL's.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "tls/openssl.h"

namespace tls {
namespace {

struct VersionFacts {
  Version version;
  int number;
  std::uint64_t disabled_by;
};
constexpr std::array kVersions{VersionFacts{Version::tls1_0, TLS1_VERSION, SSL_OP_NO_TLSv1},
                               VersionFacts{Version::tls1_1, TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
                               VersionFacts{Version::tls1_2, TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
                               VersionFacts{Version::tls1_3, TLS1_3_VERSION, SSL_OP_NO_TLSv1_3}};

// Never, whatever the list says: no authentication, static RSA (its decryption stays with the key's
// holder and has no forward secrecy), pre-shared keys without certificates.
constexpr std::string_view kNever = ":!aNULL:!eNULL:!kRSA:!PSK:!SRP";

}  // namespace

std::string set_versions(SSL_CTX* context, std::span<const Version> versions) {
  if (versions.empty()) return "no protocol version is enabled";
  const auto [lowest, highest] = std::ranges::minmax(versions);
  for (const VersionFacts& facts : kVersions) {
    if (facts.version == lowest) SSL_CTX_set_min_proto_version(context, facts.number);
    if (facts.version == highest) SSL_CTX_set_max_proto_version(context, facts.number);
    if (std::ranges::find(versions, facts.version) == versions.end()) {
      SSL_CTX_set_options(context, facts.disabled_by);
    }
  }
  return {};
}

std::string set_ciphers(SSL_CTX* context, const std::string& ciphers, const std::string& suites,
                        std::span<const Version> versions) {
  // OpenSSL 3 has TLS 1.0 and 1.1 at its security level 0 only (their SHA-1 signatures).
  const bool old = std::ranges::min(versions) < Version::tls1_2;
  const std::string list = fmt::format("{}{}{}", ciphers, kNever, old ? ":@SECLEVEL=0" : "");
  if (SSL_CTX_set_cipher_list(context, list.c_str()) != 1) {
    return fmt::format("the cipher list \"{}\" is not accepted ({})", ciphers, take_error_reason());
  }
  if (!suites.empty() && SSL_CTX_set_ciphersuites(context, suites.c_str()) != 1) {
    return fmt::format("the TLS 1.3 suites \"{}\" are not accepted ({})", suites,
                       take_error_reason());
  }
  return {};
}

void set_common_options(SSL_CTX* context) {
  SSL_CTX_set_options(
      context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_read_ahead(context, 1);
}

std::vector<std::uint8_t> alpn_wire_form(std::span<const std::string> protocols) {
  std::vector<std::uint8_t> wire;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) continue;
    wire.push_back(static_cast<std::uint8_t>(protocol.size()));
    wire.insert(wire.end(), protocol.begin(), protocol.end());
  }
  return wire;
}

}  // namespace tls
