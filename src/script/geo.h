// Geo: a variable whose value depends on an address: nginx's `geo`. Networks, where the longest
// prefix counts, and ranges become the same sorted intervals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "script/interval_table.h"
#include "script/value.h"

namespace script {

using Ipv6Number = unsigned __int128;

/// An address as a number.
[[nodiscard]] std::uint32_t ipv4_number(std::string_view bytes) noexcept;
[[nodiscard]] Ipv6Number ipv6_number(std::string_view bytes) noexcept;

class Geo final : public Source {
 public:
  /// What an entry gives: an index.
  using Outcome = std::uint32_t;
  static constexpr Outcome kNothing = 0;  // the empty text

  /// Whose address: the client's, or what `address` says.
  explicit Geo(std::optional<Value> address) : address_(std::move(address)) {}

  [[nodiscard]] Outcome outcome(std::string_view text);
  [[nodiscard]] std::string_view text_of(Outcome outcome) const noexcept;

  /// Peers whose X-Forwarded-For is believed.
  void trust(const base::Network& proxy) { proxies_.push_back(proxy); }
  void search_recursively() noexcept { recursive_ = true; }

  /// Finished tables.
  void use(IntervalTable<std::uint32_t> ipv4, IntervalTable<Ipv6Number> ipv6) {
    ipv4_ = std::move(ipv4);
    ipv6_ = std::move(ipv6);
  }
  /// Of ranges, which IPv6 has none of: other addresses count as 255.255.255.255.
  void use(IntervalTable<std::uint32_t> ipv4) {
    ipv4_ = std::move(ipv4);
    ipv6_.reset();
  }

  /// As nginx: whatever is no IP address counts as 255.255.255.255.
  [[nodiscard]] std::optional<std::string_view> compute(Subject& subject) const override;

 private:
  [[nodiscard]] base::Address address_of(Subject& subject) const;
  [[nodiscard]] Outcome find(const base::Address& address) const noexcept;

  struct Text {
    std::uint32_t start;
    std::uint32_t size;
  };
  std::optional<Value> address_;
  std::vector<base::Network> proxies_;
  bool recursive_ = false;
  IntervalTable<std::uint32_t> ipv4_;
  std::optional<IntervalTable<Ipv6Number>> ipv6_;
  std::string text_;
  std::vector<Text> outcomes_{Text{0, 0}};
};

}  // namespace script
