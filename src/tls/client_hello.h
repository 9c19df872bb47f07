// ClientHello: what a client says of itself at first (RFC 8446 §4.1.2), read from the message's own
// bytes, and its fingerprint. OpenSSL tells of the extensions that it knows only; a fingerprint is
// made of all.
//
// Only a configuration that uses one of its variables has it read ($ssl_ja4 and others), so it
// costs others nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tls {

struct ClientHello {
  std::uint16_t version = 0;  // the newest that it offers
  std::vector<std::uint16_t> ciphers;
  std::vector<std::uint16_t> extensions;
  std::vector<std::uint16_t> signature_schemes;
  std::string alpn;  // the first protocol; empty: none

  /// `message`: the handshake message with its header of four bytes. Nothing: malformed. Linear.
  [[nodiscard]] static std::optional<ClientHello> parse(std::span<const std::uint8_t> message);
};

/// One of the values that clients throw in to keep servers tolerant (RFC 8701).
[[nodiscard]] constexpr bool is_grease(std::uint16_t value) noexcept {
  return (value & 0x0f0fU) == 0x0a0aU && value >> 8U == (value & 0xffU);
}

/// The client's fingerprint by FoxIO's specification of JA4, over TCP:
/// "t13d1516h2_8daaf6152771_e5627efa2ab1".
[[nodiscard]] std::string ja4(const ClientHello& hello);

/// The IANA's name of a signature scheme, "ecdsa_secp256r1_sha256"; empty: unknown here.
[[nodiscard]] std::string_view name_of_signature_scheme(std::uint16_t scheme) noexcept;

}  // namespace tls
