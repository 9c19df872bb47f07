// RecordLayer: a server's TLS 1.3 connection after its handshake, without OpenSSL's SSL object.
//
// OpenSSL shakes hands; then the connection's records are protected here and the SSL object is
// freed. It holds 13 KB for as long as a connection lives, four fifths of what an idle connection
// costs, and copies every record twice more. What is left to do after a handshake of TLS 1.3 is
// little: records, alerts and KeyUpdate (RFC 8446 §4.6.3, §5, §6); a server is sent nothing else.
// TLS 1.2 and connections to backends (who send tickets) stay with OpenSSL.
//
// Works on bytes only: TlsStream moves them to and from the stream below.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tls/record_protection.h"

namespace tls {

class RecordLayer {
 public:
  /// Records in a row that bring no data (empty ones, KeyUpdates) before the peer is turned away;
  /// what OpenSSL bears, too, where nobody says otherwise.
  static constexpr std::uint8_t kMaxWithoutData = 32;
  static constexpr std::size_t kMaxRecord = kRecordHeader + kMaxProtected;

  /// Null where OpenSSL has to go on: a cipher suite that RecordProtection does not know, secrets
  /// that were not captured. `sent`: records that OpenSSL has protected with the server's secret.
  [[nodiscard]] static std::unique_ptr<RecordLayer> make(
      Library::State& library, std::uint16_t suite, const ConnectionSecrets& secrets,
      std::uint64_t sent, std::uint8_t max_without_data = kMaxWithoutData);

  /// How the reading of one record ended.
  struct Read {
    enum class What : std::uint8_t { data, nothing, end };
    What what = What::nothing;
    std::span<char> data{};  // within the record
  };
  struct Failure {
    Alert alert{};  // what to tell the peer
    bool received = false;  // it is the peer's own: nothing is to be told
    bool flood = false;  // too many records in a row without data
    std::string reason{};  // for the log
  };

  /// How many bytes the first record in `bytes` has; 0 while that cannot be said.
  [[nodiscard]] static std::size_t size_of_first(std::span<const char> bytes) noexcept;
  /// `header` begins a record that may be read; otherwise the failure. At least kRecordHeader
  /// bytes.
  [[nodiscard]] static std::expected<void, Failure> check_header(std::span<const char> header);

  /// Opens a whole record in place. Answers that it makes necessary are appended to `replies`.
  [[nodiscard]] std::expected<Read, Failure> read(std::span<char> record, std::string& replies);

  /// Appends `content` (at most kMaxContent) as a record.
  [[nodiscard]] bool write(std::span<const char> content, std::string& into);
  /// Appends a handshake message, in as many records as it needs.
  [[nodiscard]] bool write_handshake(std::span<const char> message, std::string& into);
  /// Appends an alert; close_notify ends our side in order.
  void write_alert(Alert alert, std::string& into);

 private:
  RecordLayer(std::unique_ptr<RecordProtection> in, std::unique_ptr<RecordProtection> out,
              std::uint8_t max_without_data)
      : in_(std::move(in)), out_(std::move(out)), max_without_data_(max_without_data) {}
  [[nodiscard]] std::expected<Read, Failure> read_alert(std::span<const char> content);
  [[nodiscard]] std::expected<Read, Failure> read_handshake(std::span<const char> content,
                                                            std::string& replies);
  [[nodiscard]] bool write_key_update(std::string& into);

  static constexpr std::size_t kKeyUpdate = 5;

  std::unique_ptr<RecordProtection> in_;
  std::unique_ptr<RecordProtection> out_;
  std::array<char, kKeyUpdate> message_{};  // a handshake message may come in pieces
  std::uint8_t message_size_ = 0;
  std::uint8_t max_without_data_;
  std::uint8_t without_data_ = 0;  // <= max_without_data_
};

}  // namespace tls
