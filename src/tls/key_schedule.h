// KeySchedule: TLS 1.3's key derivations (RFC 8446 §7.1, HKDF of RFC 5869) as an algorithm of our
// provider, which libssl then uses in place of the default provider's TLS13-KDF.
//
// It has two reasons. OpenSSL 3.0 fetches the digest by name, makes a MAC and throws it away for
// each of the twenty derivations of a handshake: a fifth of its instructions. And a connection that
// protects its records itself (record_protection.h) has no other way to its traffic secrets than
// the key log, a text of all secrets for each handshake.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tls/openssl.h"

namespace tls {

/// A secret of TLS 1.3 in a place that is wiped. At most SHA-384's 48 bytes.
class Secret {
 public:
  static constexpr std::size_t kMaxSize = 48;

  Secret() = default;
  ~Secret() { wipe(); }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;

  /// `bytes`: at most kMaxSize.
  void assign(std::span<const std::uint8_t> bytes) noexcept;
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept {
    return std::span(bytes_).first(size_);
  }
  [[nodiscard]] std::span<std::uint8_t> resize(std::size_t size) noexcept;
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  void wipe() noexcept {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
    size_ = 0;
  }

 private:
  std::array<std::uint8_t, kMaxSize> bytes_{};
  std::size_t size_ = 0;
};

/// What outlives a handshake (§7.1).
struct ConnectionSecrets {
  Secret client{};  // client_application_traffic_secret_0
  Secret server{};  // server_application_traffic_secret_0
  Secret resumption{};  // resumption_master_secret
};

/// One per library context, used by its thread only.
class KeySchedule {
 public:
  enum class Hash : std::uint8_t { sha256, sha384 };

  explicit KeySchedule(OSSL_LIB_CTX* context) : context_(context) {}

  [[nodiscard]] static std::size_t size_of(Hash hash) noexcept {
    return hash == Hash::sha256 ? 32 : 48;
  }
  /// HKDF-Expand-Label (RFC 8446 §7.1); `label` without the prefix "tls13 ". False only if OpenSSL
  /// fails or a label, context or output is longer than the structure has room for.
  [[nodiscard]] bool expand_label(Hash hash, std::span<const std::uint8_t> secret,
                                  std::string_view label, std::span<const std::uint8_t> context,
                                  std::span<std::uint8_t> into) noexcept;
  /// The next secret of §7.1's column: HKDF-Extract(Derive-Secret(previous, label, ""), input).
  /// An empty `previous` or `input` is a string of zeros. `into`: size_of(hash).
  [[nodiscard]] bool extract(Hash hash, std::span<const std::uint8_t> previous,
                             std::string_view label, std::span<const std::uint8_t> input,
                             std::span<std::uint8_t> into) noexcept;

  /// HMAC (RFC 2104). `key`: at most Secret::kMaxSize, `into`: size_of(hash). False as above.
  [[nodiscard]] bool hmac(Hash hash, std::span<const std::uint8_t> key,
                          std::span<const std::span<const std::uint8_t>> message,
                          std::span<std::uint8_t> into) noexcept;
  /// Wipes what is kept of the last keys. Due when a connection has got what it needs.
  void forget() noexcept;

  /// While it lives, the secrets that this thread derives are put into `into` (null: nowhere). At
  /// its end `schedule` forgets.
  class Capture {
   public:
    Capture(KeySchedule& schedule, ConnectionSecrets* into) noexcept;
    ~Capture();
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;

   private:
    KeySchedule& schedule_;
  };

 private:
  struct Digest {
    MdPtr algorithm;
    MdCtxPtr state;
  };
  /// A key's two halves of HMAC, each after its first block. Most secrets are expanded three or
  /// four times in a row, and half of the blocks of a short HMAC are the key's.
  struct Keyed {
    Hash hash{};
    Secret key;
    MdCtxPtr inner;
    MdCtxPtr outer;
  };
  [[nodiscard]] Digest* digest_for(Hash hash) noexcept;
  [[nodiscard]] const Keyed* keyed(Hash hash, std::span<const std::uint8_t> key) noexcept;

  OSSL_LIB_CTX* context_;
  std::array<Digest, 2> digests_;
  std::array<Keyed, 2> keyed_;  // a secret of the handshake, and one of a direction
  std::size_t oldest_ = 0;
};

/// The provider's algorithm; it derives by the KeySchedule that belongs to the provider's context.
[[nodiscard]] const OSSL_ALGORITHM* key_schedule_algorithms() noexcept;
/// Implemented in provider.cc, which knows what a provider's context is.
[[nodiscard]] KeySchedule* key_schedule_of(void* provider) noexcept;

/// What the defaults of a library context must prefer for it to be chosen. Two properties, so that
/// they outweigh "?provider=default"; only names that OpenSSL itself has defined can be used.
inline constexpr const char* kKeyScheduleQuery = "?version=sallyport,?structure=tls13";

}  // namespace tls
