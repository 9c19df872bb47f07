// Signer: whoever holds private keys. The rest of the program knows keys by their id only and asks
// for signatures, so that the keys can live in another process without anything else changing.
//
// A signer may be slow (a socket to the key process). sign() runs inside an OpenSSL ASYNC job then:
// it sends its request, calls HandshakePause::current()->pause() until its answer is there, and
// whoever receives the answer calls wake(). The job's stack has 32 KB: nothing deep may run in
// sign().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace tls {

/// SHA-256 of the DER SubjectPublicKeyInfo.
using KeyId = std::array<std::uint8_t, 32>;

/// TLS code points (RFC 8446 §4.2.3); rsa_pkcs1_md5_sha1 is TLS 1.0 and 1.1's, from the private
/// range.
enum class SignatureScheme : std::uint16_t {
  rsa_pkcs1_sha1 = 0x0201,
  ecdsa_sha1 = 0x0203,
  rsa_pkcs1_sha256 = 0x0401,
  ecdsa_secp256r1_sha256 = 0x0403,
  rsa_pkcs1_sha384 = 0x0501,
  ecdsa_secp384r1_sha384 = 0x0503,
  rsa_pkcs1_sha512 = 0x0601,
  ecdsa_secp521r1_sha512 = 0x0603,
  rsa_pss_rsae_sha256 = 0x0804,
  rsa_pss_rsae_sha384 = 0x0805,
  rsa_pss_rsae_sha512 = 0x0806,
  ed25519 = 0x0807,
  rsa_pkcs1_md5_sha1 = 0xff01,
};

class Signer {
 public:
  Signer() = default;
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
  virtual ~Signer() = default;

  /// Signs `message` (the bytes themselves, not their digest) and returns the signature's size.
  /// Called by every worker: thread-safe. Errors: not_found (no such key), invalid (the key cannot
  /// do that scheme), too_large (`signature` is too small), cancelled.
  [[nodiscard]] virtual base::Result<std::size_t> sign(
      const KeyId& key, SignatureScheme scheme, std::span<const std::uint8_t> message,
      std::span<std::uint8_t> signature) noexcept = 0;

  /// True when sign() may pause: handshakes run as ASYNC jobs then.
  [[nodiscard]] virtual bool may_pause() const noexcept { return false; }
};

/// The handshake that is calling sign(), for signers that pause.
class HandshakePause {
 public:
  /// nullptr when sign() was called outside a job and must not pause.
  [[nodiscard]] static HandshakePause* current() noexcept;

  /// Leaves the job. Returns when the handshake goes on, maybe in vain: call in a loop.
  virtual void pause() noexcept = 0;
  /// The handshake was given up: stop waiting, return Error cancelled, expect no wake() to be safe.
  [[nodiscard]] virtual bool cancelled() const noexcept = 0;
  /// The answer is there. On the worker's thread, outside any job, while sign() has not returned.
  virtual void wake() noexcept = 0;

 protected:
  ~HandshakePause() = default;
};

}  // namespace tls
