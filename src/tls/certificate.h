// Certificate: a chain as it is configured. Immutable DER and the leaf's facts, shared by all
// workers; each worker's Library parses it on first use into OpenSSL objects of its own.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "tls/signer.h"

namespace tls {

enum class KeyType : std::uint8_t { rsa, ec, ed25519 };

class Certificate {
 public:
  using Der = std::vector<std::uint8_t>;
  struct Facts {
    std::vector<std::string> dns_names;  // subjectAltName; without any, the subject's common name
    std::vector<std::string> ip_addresses;
    std::string subject;  // RFC 2253
    std::string issuer;
    base::WallTime not_before;
    base::WallTime not_after;
    KeyType key_type = KeyType::rsa;
    KeyId key_id{};
    std::string serial;  // in hexadecimal, as OpenSSL prints it
    KeyId fingerprint{};  // SHA-256 of the whole chain: what the file says, whatever its notation
  };

  /// The leaf first, then what is sent with it, as in the file. The error is a sentence without the
  /// file's name.
  [[nodiscard]] static std::expected<std::shared_ptr<const Certificate>, std::string> parse(
      std::string_view pem);

  /// Certificates behind the leaf that stand in several chains are one object.
  using SharedDer = std::shared_ptr<const Der>;
  [[nodiscard]] const std::vector<SharedDer>& chain() const noexcept { return chain_; }
  [[nodiscard]] const Facts& facts() const noexcept { return facts_; }
  [[nodiscard]] const KeyId& key_id() const noexcept { return facts_.key_id; }
  /// Unique in the process and never used again.
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

 private:
  Certificate(std::vector<SharedDer> chain, Facts facts);
  std::vector<SharedDer> chain_;
  Facts facts_;
  std::uint64_t id_;
};
using CertificatePtr = std::shared_ptr<const Certificate>;

/// A sentence ("key values mismatch") when `key` is not the key of `certificate`.
[[nodiscard]] std::optional<std::string> mismatch(const Certificate& certificate, const KeyId& key);

/// Certificates that are trusted to sign others. Immutable, shared; parsed per worker.
class TrustedCertificates {
 public:
  [[nodiscard]] static std::expected<std::shared_ptr<const TrustedCertificates>, std::string> parse(
      std::string_view pem);
  /// The system's bundle: the file that SSL_CERT_FILE names, else the distributions' usual ones.
  [[nodiscard]] static std::expected<std::shared_ptr<const TrustedCertificates>, std::string>
  system();

  [[nodiscard]] const std::vector<Certificate::Der>& certificates() const noexcept { return all_; }
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

 private:
  explicit TrustedCertificates(std::vector<Certificate::Der> all);
  std::vector<Certificate::Der> all_;
  std::uint64_t id_;
};

}  // namespace tls
