#include "http/field_name.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"

namespace http {

namespace {

constexpr std::array<std::string_view, kFieldNameCount> kNames = {
    "",
#define SALLYPORT_FIELD_NAME(id, text) text,
    SALLYPORT_FIELD_NAMES(SALLYPORT_FIELD_NAME)
#undef SALLYPORT_FIELD_NAME
};
constexpr std::size_t kLongest =
    std::ranges::max(kNames, {}, [](std::string_view name) { return name.size(); }).size();

// Length and four characters tell all known names apart; a multiplication spreads them over a table
// in which each has a place of its own. Setting bit 5 folds the letters' case; whatever else it
// folds is found out by the comparison.
constexpr std::uint64_t key_of(std::string_view name) noexcept {
  const auto at = [name](std::size_t i) -> std::uint64_t {
    return static_cast<unsigned char>(name[i]) | 0x20U;
  };
  const std::size_t size = name.size();
  return at(0) | at(size / 2) << 8 | at(size < 4 ? 0 : size - 4) << 16 | at(size - 1) << 24 |
         std::uint64_t{size} << 32;
}

constexpr unsigned kTableBits = 10;

struct HashTable {
  std::uint64_t multiplier = 0;
  std::array<std::uint8_t, 1U << kTableBits> slots{};

  [[nodiscard]] constexpr std::size_t slot_of(std::uint64_t key) const noexcept {
    return static_cast<std::size_t>((key * multiplier) >> (64 - kTableBits));
  }
};

consteval bool fill(HashTable& table) {
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    std::uint8_t& slot = table.slots[table.slot_of(key_of(kNames[i]))];
    if (slot != 0) return false;
    slot = static_cast<std::uint8_t>(i);
  }
  return true;
}

consteval HashTable make_table() {
  std::uint64_t multiplier = 0x9e3779b97f4a7c15;
  for (;;) {
    HashTable table{.multiplier = multiplier};
    if (fill(table)) return table;
    multiplier = multiplier * 6364136223846793005U + 1442695040888963407U;
    multiplier |= 1;
  }
}
constexpr HashTable kTable = make_table();

}  // namespace

FieldName intern(std::string_view name) noexcept {
  if (name.empty() || name.size() > kLongest) return FieldName::other;
  const std::size_t found = kTable.slots[kTable.slot_of(key_of(name))];
  const std::string_view known = kNames[found];
  // The usual spelling is the usual case.
  if (known == name || base::equal_ignoring_case(known, name)) return static_cast<FieldName>(found);
  return FieldName::other;
}

FieldName intern_folded(std::string_view name) noexcept {
  if (name.size() > kLongest) return FieldName::other;
  std::array<char, kLongest> folded{};
  std::ranges::transform(name, folded.begin(),
                         [](char c) { return c == '_' || c == '.' ? '-' : c; });
  return intern({folded.data(), name.size()});
}

std::string_view text_of(FieldName name) noexcept { return kNames[static_cast<std::size_t>(name)]; }

bool equal_folded(std::string_view a, std::string_view b) noexcept {
  const auto fold = [](char c) { return c == '_' || c == '.' ? '-' : base::to_lower(c); };
  return std::ranges::equal(a, b, {}, fold, fold);
}

bool is_hop_by_hop(FieldName name) noexcept {
  switch (name) {
    case FieldName::connection:
    case FieldName::keep_alive:
    case FieldName::proxy_connection:
    case FieldName::te:
    case FieldName::trailer:
    case FieldName::transfer_encoding:
    case FieldName::upgrade:
    case FieldName::http2_settings: return true;
    default: return false;
  }
}

TrailerUse trailer_use(FieldName name) noexcept {
  switch (name) {
    case FieldName::connection:
    case FieldName::content_length:
    case FieldName::forwarded:
    case FieldName::host:
    case FieldName::http2_settings:
    case FieldName::keep_alive:
    case FieldName::proxy_connection:
    case FieldName::te:
    case FieldName::trailer:
    case FieldName::transfer_encoding:
    case FieldName::upgrade:
    case FieldName::x_accel_redirect:
    case FieldName::x_forwarded_for:
    case FieldName::x_forwarded_host:
    case FieldName::x_forwarded_port:
    case FieldName::x_forwarded_prefix:
    case FieldName::x_forwarded_proto:
    case FieldName::x_forwarded_server:
    case FieldName::x_real_ip: return TrailerUse::refuse;
    case FieldName::age:
    case FieldName::authorization:
    case FieldName::cache_control:
    case FieldName::content_encoding:
    case FieldName::content_location:
    case FieldName::content_range:
    case FieldName::content_type:
    case FieldName::cookie:
    case FieldName::date:
    case FieldName::early_data:
    case FieldName::expect:
    case FieldName::expires:
    case FieldName::if_match:
    case FieldName::if_modified_since:
    case FieldName::if_none_match:
    case FieldName::if_range:
    case FieldName::if_unmodified_since:
    case FieldName::location:
    case FieldName::max_forwards:
    case FieldName::pragma:
    case FieldName::proxy:
    case FieldName::proxy_authenticate:
    case FieldName::proxy_authorization:
    case FieldName::range:
    case FieldName::refresh:
    case FieldName::retry_after:
    case FieldName::set_cookie:
    case FieldName::status:
    case FieldName::strict_transport_security:
    case FieldName::vary:
    case FieldName::www_authenticate:
    case FieldName::x_accel_buffering:
    case FieldName::x_accel_charset:
    case FieldName::x_accel_expires:
    case FieldName::x_accel_limit_rate: return TrailerUse::drop;
    default: return TrailerUse::keep;
  }
}

}  // namespace http
