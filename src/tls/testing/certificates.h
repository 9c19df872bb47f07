// Certificates for tests: any key type, any issuer, any time of validity, in milliseconds.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tls/certificate.h"

namespace tls::testing {

struct Issued {
  std::string certificate;  // PEM
  std::string private_key;  // PEM
};

struct IssueOptions {
  std::vector<std::string> names{"example.com"};  // DNS names and IP addresses
  KeyType key_type = KeyType::ec;
  const Issued* issuer = nullptr;  // null: self-signed
  bool authority = false;
  std::chrono::hours valid_from{-1};  // relative to now
  std::chrono::hours valid_until{24};
};

[[nodiscard]] Issued issue(const IssueOptions& options = {});

struct RevokeOptions {
  std::vector<const Issued*> revoked{};
  std::chrono::hours valid_from{-1};  // relative to now
  std::chrono::hours valid_until{24};
};
/// The issuer's revocation list, PEM.
[[nodiscard]] std::string revoke(const Issued& issuer, const RevokeOptions& options = {});

/// The private key, PEM, encrypted.
[[nodiscard]] std::string encrypt_key(const Issued& issued, const std::string& password);
/// The pin of its public key, "sha256//...".
[[nodiscard]] std::string pin_of(const Issued& issued);

}  // namespace tls::testing
