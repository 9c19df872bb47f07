#include "tls/record_layer.h"

#include <fmt/core.h>

#include <algorithm>

namespace tls {
namespace {

using Failure = RecordLayer::Failure;
using Read = RecordLayer::Read;

constexpr char kKeyUpdateType = 24;  // RFC 8446 §4

std::unexpected<Failure> fail(Alert alert, std::string_view reason) {
  return std::unexpected(Failure{.alert = alert, .reason = std::string(reason)});
}

std::size_t body_size(std::span<const char> header) noexcept {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(header[at]); };
  return std::size_t{byte(3)} << 8U | byte(4);
}

// As OpenSSL names what the peer's alert says: "sslv3 alert bad certificate".
std::string name_of_alert(unsigned char number) {
  const char* name =
      ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, SSL_AD_REASON_OFFSET + number));
  return fmt::format("{}:SSL alert number {}", name == nullptr ? "unknown alert type" : name,
                     number);
}

std::string_view reason_of(Alert alert) noexcept {
  switch (alert) {
    case Alert::bad_record_mac: return "decryption failed or bad record mac";
    case Alert::record_overflow: return "packet length too long";
    default: return "unexpected message";
  }
}

}  // namespace

std::unique_ptr<RecordLayer> RecordLayer::make(Library::State& library, std::uint16_t suite,
                                               const ConnectionSecrets& secrets, std::uint64_t sent,
                                               std::uint8_t max_without_data) {
  auto in = RecordProtection::make(library, suite, secrets.client, RecordProtection::Use::open);
  auto out =
      RecordProtection::make(library, suite, secrets.server, RecordProtection::Use::seal, sent);
  if (!in || !out) return nullptr;
  return std::unique_ptr<RecordLayer>(
      new RecordLayer(std::move(in), std::move(out), max_without_data));
}

std::size_t RecordLayer::size_of_first(std::span<const char> bytes) noexcept {
  return bytes.size() < kRecordHeader ? 0 : kRecordHeader + body_size(bytes);
}

// After the handshake every record is protected, and protected records say application_data
// (§5.1, §5.2); the version in front is not looked at.
std::expected<void, Failure> RecordLayer::check_header(std::span<const char> header) {
  if (header[0] != static_cast<char>(ContentType::application_data)) {
    return fail(Alert::unexpected_message, "unexpected record");
  }
  if (body_size(header) > kMaxProtected) {
    return fail(Alert::record_overflow, reason_of(Alert::record_overflow));
  }
  return {};
}

std::expected<Read, Failure> RecordLayer::read(std::span<char> record, std::string& replies) {
  const auto opened = in_->open(record);
  if (!opened) return fail(opened.error(), reason_of(opened.error()));
  const auto content = opened->content;
  if (opened->type == ContentType::application_data && !content.empty()) {
    if (message_size_ > 0) return fail(Alert::unexpected_message, "data within a message");
    without_data_ = 0;
    return Read{.what = Read::What::data, .data = content};
  }
  if (without_data_++ == max_without_data_) {
    return std::unexpected(Failure{.alert = Alert::unexpected_message,
                                   .flood = true,
                                   .reason = "too many records without data"});
  }
  switch (opened->type) {
    case ContentType::application_data: return Read{};  // padding, allowed (§5.4)
    case ContentType::alert: return read_alert(content);
    case ContentType::handshake: return read_handshake(content, replies);
    case ContentType::change_cipher_spec: break;
  }
  return fail(Alert::unexpected_message, "unexpected record");
}

std::expected<Read, Failure> RecordLayer::read_alert(std::span<const char> content) {
  if (content.size() != 2) return fail(Alert::decode_error, "bad alert");
  const auto number = static_cast<unsigned char>(content[1]);
  if (number == static_cast<unsigned char>(Alert::close_notify)) {
    return Read{.what = Read::What::end};
  }
  if (number == static_cast<unsigned char>(Alert::user_canceled)) return Read{};
  // Whatever the level says, an alert of TLS 1.3 is fatal (§6).
  return std::unexpected(Failure{
      .alert = static_cast<Alert>(number), .received = true, .reason = name_of_alert(number)});
}

std::expected<Read, Failure> RecordLayer::read_handshake(std::span<const char> content,
                                                         std::string& replies) {
  if (content.empty()) return fail(Alert::unexpected_message, "empty handshake message");
  if (content.size() > message_.size() - message_size_) {
    return fail(Alert::unexpected_message, "unexpected message");
  }
  std::ranges::copy(content, std::span(message_).subspan(message_size_).begin());
  message_size_ = static_cast<std::uint8_t>(message_size_ + content.size());
  constexpr std::array<char, 4> head{kKeyUpdateType, 0, 0, 1};
  const auto known = std::min<std::size_t>(message_size_, head.size());
  if (!std::ranges::equal(std::span(message_).first(known), std::span(head).first(known))) {
    return fail(Alert::unexpected_message, "unexpected message");
  }
  if (message_size_ < kKeyUpdate) return Read{};
  message_size_ = 0;
  const char request = message_.back();
  if (request != 0 && request != 1) return fail(Alert::illegal_parameter, "bad key update");
  if (!in_->advance() || (request == 1 && !write_key_update(replies))) {
    return fail(Alert::internal_error, "no new key");
  }
  return Read{};
}

bool RecordLayer::write(std::span<const char> content, std::string& into) {
  if (out_->exhausted() && !write_key_update(into)) return false;
  return out_->seal(ContentType::application_data, content, into);
}

bool RecordLayer::write_handshake(std::span<const char> message, std::string& into) {
  while (!message.empty()) {
    const auto part = message.first(std::min(message.size(), kMaxContent));
    if (!out_->seal(ContentType::handshake, part, into)) return false;
    message = message.subspan(part.size());
  }
  return true;
}

void RecordLayer::write_alert(Alert alert, std::string& into) {
  constexpr char warning = 1;
  constexpr char fatal = 2;
  const std::array<char, 2> content{alert == Alert::close_notify ? warning : fatal,
                                    static_cast<char>(alert)};
  // An alert that cannot be sent is not missed: the connection ends either way.
  static_cast<void>(out_->seal(ContentType::alert, content, into));
}

bool RecordLayer::write_key_update(std::string& into) {
  constexpr std::array<char, kKeyUpdate> message{kKeyUpdateType, 0, 0, 1, 0};
  return out_->seal(ContentType::handshake, message, into) && out_->advance();
}

}  // namespace tls
