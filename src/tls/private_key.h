// PrivateKey: a private key as a file has it, checked, but not an OpenSSL object: those are a
// Signer's to make, when somebody first needs a signature. Its bytes are wiped when the last holder
// is gone.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tls/signer.h"

namespace tls {

class PrivateKey {
 public:
  /// The first private key of `pem`: RSA, EC or Ed25519, as PKCS #8 or in its own form. An
  /// encrypted one is opened with the first of `passwords` that fits. The error is a sentence
  /// without the file's name. Thread-safe.
  [[nodiscard]] static std::expected<std::shared_ptr<const PrivateKey>, std::string> parse(
      std::string_view pem, std::span<const std::string> passwords = {});
  ~PrivateKey();
  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;

  [[nodiscard]] const KeyId& id() const noexcept { return id_; }
  /// PKCS #8's PrivateKeyInfo, RFC 8017's RSAPrivateKey or RFC 5915's ECPrivateKey.
  [[nodiscard]] std::span<const std::uint8_t> der() const noexcept { return der_; }

 private:
  PrivateKey(KeyId id, std::vector<std::uint8_t> der) noexcept;
  [[nodiscard]] static std::expected<std::shared_ptr<const PrivateKey>, std::string> read(
      std::string_view label, std::vector<std::uint8_t> der);
  KeyId id_;
  std::vector<std::uint8_t> der_;
};
using PrivateKeyPtr = std::shared_ptr<const PrivateKey>;

/// Whether the first private key of `pem` is encrypted, by what stands around it.
[[nodiscard]] bool is_encrypted(std::string_view pem) noexcept;

/// The lines of a password file; empty ones are none. Spaces count.
[[nodiscard]] std::vector<std::string> parse_passwords(std::string_view text);

/// Overwrites what a key or a password was read from.
void wipe(std::string& text) noexcept;

}  // namespace tls
