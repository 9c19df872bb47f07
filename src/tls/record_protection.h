// RecordProtection: one direction of a TLS 1.3 connection after its handshake: the key, the nonces
// and the generations of its traffic secret (RFC 8446 §5.2 to §5.5, §7.2, §7.3). The ciphers
// themselves are OpenSSL's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tls/key_schedule.h"
#include "tls/openssl.h"

namespace tls {

/// RFC 8446 §5.1.
enum class ContentType : std::uint8_t {
  change_cipher_spec = 20,
  alert = 21,
  handshake = 22,
  application_data = 23,
};

/// RFC 8446 §6: those that the record layer sends.
enum class Alert : std::uint8_t {
  close_notify = 0,
  unexpected_message = 10,
  bad_record_mac = 20,
  record_overflow = 22,
  illegal_parameter = 47,
  decode_error = 50,
  internal_error = 80,
  user_canceled = 90,
};

inline constexpr std::size_t kRecordHeader = 5;
inline constexpr std::size_t kMaxContent = 16384;              // of a record (§5.1)
inline constexpr std::size_t kMaxProtected = kMaxContent + 256;  // after its header (§5.2)

class RecordProtection {
 public:
  enum class Use : std::uint8_t { seal, open };
  /// How many records a key may protect before the next one is due: 2^24, below the limit of
  /// AES-GCM (§5.5: 2^24.5 full-size records).
  static constexpr std::uint64_t kMaxRecords = std::uint64_t{1} << 24U;

  /// `suite` is the cipher suite's two bytes (0x1301 TLS_AES_128_GCM_SHA256, 0x1302
  /// TLS_AES_256_GCM_SHA384, 0x1303 TLS_CHACHA20_POLY1305_SHA256); null for any other, for a secret
  /// of the wrong size and when OpenSSL fails. `first`: the number of the next record.
  [[nodiscard]] static std::unique_ptr<RecordProtection> make(Library::State& library,
                                                              std::uint16_t suite,
                                                              const Secret& secret, Use use,
                                                              std::uint64_t first = 0);

  /// Appends a record with `content` (at most kMaxContent) to `into`.
  [[nodiscard]] bool seal(ContentType type, std::span<const char> content, std::string& into);

  struct Opened {
    ContentType type{};
    std::span<char> content;  // within the record that was opened
  };
  /// Opens a whole record (header and all) in place. The error is the alert that §5.2 asks for.
  [[nodiscard]] std::expected<Opened, Alert> open(std::span<char> record);

  /// Moves to the next generation of the secret (§7.2): after a KeyUpdate.
  [[nodiscard]] bool advance();
  /// kMaxRecords have been protected by this generation's key.
  [[nodiscard]] bool exhausted() const noexcept { return number_ >= kMaxRecords; }

 private:
  struct Suite;
  RecordProtection(Library::State& library, const Suite& suite, const Secret& secret, Use use)
      : library_(library), suite_(suite), secret_(secret), use_(use) {}
  [[nodiscard]] static const Suite* find(std::uint16_t suite) noexcept;
  [[nodiscard]] bool install_key();
  [[nodiscard]] bool begin_record(std::span<const char> header);

  static constexpr std::size_t kTag = 16;
  static constexpr std::size_t kNonce = 12;

  Library::State& library_;
  const Suite& suite_;
  Secret secret_;
  std::array<std::uint8_t, kNonce> iv_{};
  CipherCtxPtr cipher_;
  std::uint64_t number_ = 0;
  Use use_;
};

}  // namespace tls
