// Bytes as RFCs print them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tls::testing {

/// "17 03 03" and "170303" alike.
inline std::vector<std::uint8_t> from_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  std::string digits;
  for (const char c : text) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() < 2) continue;
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return bytes;
}

}  // namespace tls::testing
