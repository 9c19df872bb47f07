// CaselessTable: from texts to small numbers, where ASCII letter case does not count. One array of
// entries, one of places and one text: a million keys take 24 bytes each beside their letters, are
// added in a tenth of a second, and are found at the same cost as ten.
//
// The hash is fed a byte at a time, so that a caller who asks for all beginnings of a name, or all
// ends of it, reads the name once (name_hash.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace script {

class CaselessTable {
 public:
  /// In which order the bytes of a key are hashed.
  enum class Order : std::uint8_t { forward, backward };
  /// Keys are at most 4 GB in all: a configuration has 256 MB.
  explicit CaselessTable(Order order = Order::forward) : order_(order) {}

  /// False: the key is there already, and stays as it was.
  bool add(std::string_view key, std::uint32_t value);
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view key) const noexcept {
    return empty() ? std::nullopt : find(key, hash_of(key));
  }
  /// With the key's hash at hand. O(1), nothing is allocated.
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view key,
                                                  std::uint32_t hash) const noexcept;

  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  // FNV-1a over lower-case letters.
  static constexpr std::uint32_t kSeed = 2166136261U;
  [[nodiscard]] static constexpr std::uint32_t step(std::uint32_t hash, char c) noexcept {
    return (hash ^ static_cast<unsigned char>(base::to_lower(c))) * 16777619U;
  }

 private:
  struct Entry {
    std::uint32_t hash;
    std::uint32_t start;  // in text_
    std::uint32_t size;
    std::uint32_t value;
  };
  [[nodiscard]] std::uint32_t hash_of(std::string_view key) const noexcept;
  [[nodiscard]] std::size_t first_place(std::uint32_t hash) const noexcept;
  void grow();

  Order order_;
  std::string text_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> places_;  // a power of two of them; an entry's index + 1, or 0
};

}  // namespace script
