#include "io/service_records.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/text.h"

namespace io {
namespace {

constexpr std::uint16_t kInternet = 1;  // RFC 1035 §3.2.4
constexpr std::uint16_t kAlias = 5;  // CNAME
constexpr std::uint16_t kService = 33;  // SRV
constexpr std::size_t kMaxName = 255;  // RFC 1035 §2.3.4, as it is sent
constexpr std::size_t kHeader = 12;

std::unexpected<base::Error> wrong() {
  return base::fail(base::ErrorCode::protocol, "invalid answer of the name server");
}

/// A message and a place in it; what lies beyond its end is a failure that stays.
class Reader {
 public:
  explicit Reader(std::string_view message) noexcept : message_(message) {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::size_t at() const noexcept { return at_; }
  void skip(std::size_t bytes) noexcept {
    if (bytes > message_.size() - at_) ok_ = false;
    if (ok_) at_ += bytes;
  }
  std::uint32_t number(std::size_t bytes) noexcept {
    const std::size_t begin = at_;
    skip(bytes);
    std::uint32_t value = 0;
    if (!ok_) return value;
    for (const char byte : message_.substr(begin, bytes)) {
      value = value << 8U | static_cast<unsigned char>(byte);
    }
    return value;
  }
  std::uint16_t number16() noexcept { return static_cast<std::uint16_t>(number(2)); }

  /// A name as text, in lower case and without its last dot; the place is behind it then.
  std::string name() {
    std::string text;
    std::size_t from = at_;  // of the piece that is being read
    std::size_t at = at_;
    std::size_t sent = 1;  // bytes that it would have without pointers
    bool moved = false;
    while (ok_) {
      const auto length = byte_at(at);
      if (!length) return fail();
      if ((*length & 0xc0U) == 0xc0U) {
        const auto low = byte_at(at + 1);
        if (!low) return fail();
        if (!moved) at_ = at + 2;
        moved = true;
        at = (*length & 0x3fU) << 8U | *low;
        if (at >= from) return fail();  // backwards only: it ends
        from = at;
        continue;
      }
      ++at;
      if (*length == 0) break;
      if (*length > 63 || message_.size() - at < *length) return fail();
      sent += *length + 1;
      const std::string_view label = message_.substr(at, *length);
      if (sent > kMaxName || !std::ranges::all_of(label, is_of_name)) return fail();
      if (!text.empty()) text += '.';
      text += base::lower(label);
      at += *length;
    }
    if (!moved) at_ = at;
    return text;
  }

 private:
  /// What a label of a host's or service's name may have here, and a dot is not.
  static bool is_of_name(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
  }
  [[nodiscard]] std::optional<unsigned> byte_at(std::size_t at) const noexcept {
    if (at >= message_.size()) return std::nullopt;
    return static_cast<unsigned char>(message_[at]);
  }
  std::string fail() {
    ok_ = false;
    return {};
  }

  std::string_view message_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace

base::Result<ServiceRecords> parse_service_records(std::string_view message) {
  Reader reader(message);
  reader.skip(4);  // id and flags: c-ares has looked at them
  const std::uint16_t questions = reader.number16();
  const std::uint16_t answers = reader.number16();
  reader.skip(kHeader - reader.at());
  if (!reader.ok() || questions != 1) return wrong();
  std::string wanted = reader.name();
  reader.skip(4);
  ServiceRecords found;
  std::optional<std::chrono::seconds> ttl;
  const auto take_ttl = [&ttl](std::uint32_t given) {
    // RFC 2181 §8: with its first bit set it counts as 0.
    const std::chrono::seconds read(given >> 31U != 0 ? 0 : given);
    ttl = std::min(read, ttl.value_or(read));
  };
  for (std::uint16_t i = 0; i < answers && reader.ok(); ++i) {
    const std::string owner = reader.name();
    const std::uint16_t type = reader.number16();
    const std::uint16_t kind = reader.number16();
    const std::uint32_t lives = reader.number(4);
    const std::uint16_t size = reader.number16();
    const std::size_t begin = reader.at();
    if (!reader.ok()) break;
    const bool is_ours = kind == kInternet && owner == wanted;
    if (is_ours && type == kAlias) {
      wanted = reader.name();
      take_ttl(lives);
    } else if (is_ours && type == kService) {
      ServiceRecord record;
      record.priority = reader.number16();
      record.weight = reader.number16();
      record.port = reader.number16();
      record.target = reader.name();
      take_ttl(lives);
      if (!record.target.empty() && record.port != 0) found.records.push_back(std::move(record));
    } else {
      reader.skip(size);
    }
    if (reader.at() - begin != size) return wrong();
  }
  if (!reader.ok()) return wrong();
  found.ttl = ttl.value_or(std::chrono::seconds(0));
  return found;
}

}  // namespace io
