// SplitClients: a variable drawn by a hash of a text, in shares: nginx's `split_clients`. The hash
// and the borders are nginx's, so that a key falls into the same share there and here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "script/value.h"

namespace script {

/// MurmurHash2 by Austin Appleby, 32 bits, little endian, seeded with the size.
[[nodiscard]] std::uint32_t murmur_hash2(std::string_view text) noexcept;

class SplitClients final : public Source {
 public:
  /// All of them: 100 percent.
  static constexpr std::uint32_t kAll = 10'000;

  explicit SplitClients(Value key) : key_(std::move(key)) {}

  /// The next share, in hundredths of a percent. False: together they are more than all.
  [[nodiscard]] bool add(std::uint32_t hundredths, std::string value);
  /// Whatever is left.
  void add_rest(std::string value);

  [[nodiscard]] std::optional<std::string_view> compute(Subject& subject) const override;

 private:
  struct Share {
    std::uint64_t end;  // hashes below it
    std::string value;
  };
  Value key_;
  std::vector<Share> shares_;
  std::uint32_t total_ = 0;  // <= kAll
};

}  // namespace script
