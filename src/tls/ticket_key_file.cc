#include "tls/ticket_key_file.h"

#include <fmt/core.h>

#include <algorithm>

namespace tls {

std::expected<TicketKey, std::string> read_ticket_key(std::string_view bytes) {
  constexpr std::size_t kName = 16;
  constexpr std::size_t kWithAes128 = 48;
  constexpr std::size_t kWithAes256 = 80;
  if (bytes.size() != kWithAes128 && bytes.size() != kWithAes256) {
    return std::unexpected(
        fmt::format("it has {} bytes, not {} or {}", bytes.size(), kWithAes128, kWithAes256));
  }
  const bool short_keys = bytes.size() == kWithAes128;
  TicketKey key;
  key.size = short_keys ? 16 : 32;
  std::ranges::copy(bytes.substr(0, kName), key.name.begin());
  const auto first = bytes.substr(kName, key.size);
  const auto second = bytes.substr(kName + key.size, key.size);
  std::ranges::copy(first, (short_keys ? key.cipher_key : key.mac_key).begin());
  std::ranges::copy(second, (short_keys ? key.mac_key : key.cipher_key).begin());
  return key;
}

}  // namespace tls
