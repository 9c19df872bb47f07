#include "io/address_order.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/fd.h"

namespace io {
namespace {

using Bits = std::array<std::uint8_t, 16>;

/// IPv4 addresses are looked up as ::ffff:a.b.c.d (RFC 6724 §2.1).
Bits bits_of(const base::Address& address) noexcept {
  Bits bits{};
  const std::string_view bytes = address.ip_bytes();
  if (bytes.size() == 4) bits[10] = bits[11] = 0xff;
  for (std::size_t i = 0; i < bytes.size() && i < bits.size(); ++i) {
    bits.at(bits.size() - bytes.size() + i) = static_cast<std::uint8_t>(bytes[i]);
  }
  return bits;
}

std::size_t common_bits(const Bits& one, const Bits& other) noexcept {
  for (std::size_t i = 0; i < one.size(); ++i) {
    const auto difference = static_cast<std::uint8_t>(one.at(i) ^ other.at(i));
    if (difference != 0) return 8 * i + static_cast<std::size_t>(std::countl_zero(difference));
  }
  return 8 * one.size();
}

/// A row of the default policy table, RFC 6724 §2.1.
struct Policy {
  Bits prefix;
  std::size_t length;
  int precedence;
  int label;
};
// The longest first.
constexpr std::array kPolicies{
    Policy{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, 50, 0},       // ::1
    Policy{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 35, 4},              // IPv4
    Policy{{}, 96, 1, 3},                                                       // ::/96
    Policy{{0x20, 0x01, 0x00, 0x00}, 32, 5, 5},                                 // Teredo
    Policy{{0x20, 0x02}, 16, 30, 2},                                            // 6to4
    Policy{{0x3f, 0xfe}, 16, 1, 12},                                            // 6bone
    Policy{{0xfe, 0xc0}, 10, 1, 11},                                            // site-local
    Policy{{0xfc}, 7, 3, 13},                                                   // unique local
    Policy{{}, 0, 40, 1},
};

const Policy& policy_of(const Bits& bits) noexcept {
  return *std::ranges::find_if(kPolicies, [&bits](const Policy& policy) {
    return common_bits(bits, policy.prefix) >= policy.length;
  });
}

constexpr int kLinkLocal = 2;
constexpr int kSiteLocal = 5;
constexpr int kGlobal = 14;

bool is_mapped(const Bits& bits) noexcept { return policy_of(bits).label == 4; }

/// RFC 6724 §3.1 and §3.2: private IPv4 and unique local addresses are global.
int scope_of(const Bits& bits) noexcept {
  if (is_mapped(bits)) {
    const bool is_near = bits[12] == 127 || (bits[12] == 169 && bits[13] == 254);
    return is_near ? kLinkLocal : kGlobal;
  }
  if (bits[0] == 0xff) return bits[1] & 0x0f;
  if (policy_of(bits).label == 0 || (bits[0] == 0xfe && (bits[1] & 0xc0) == 0x80)) {
    return kLinkLocal;
  }
  return policy_of(bits).label == 11 ? kSiteLocal : kGlobal;
}

/// What the rules compare, in their order; less is better. Rule 9 is for addresses of one family,
/// and no two of different families come so far: their precedences differ.
struct Rank {
  bool has_no_source;  // 1
  bool other_scope;  // 2
  bool other_label;  // 5
  int precedence;  // 6, negative
  int scope;  // 8
  std::size_t differing_bits;  // 9
  std::size_t order = 0;  // 10
  auto operator<=>(const Rank&) const = default;
};

Rank rank_of(const Destination& destination) noexcept {
  // Of the interface's part of an address nothing follows (RFC 6724 §2.2).
  constexpr std::size_t kPrefix = 64;
  const Bits to = bits_of(destination.address);
  Rank rank{.has_no_source = !destination.source,
            .other_scope = true,
            .other_label = true,
            .precedence = -policy_of(to).precedence,
            .scope = scope_of(to),
            .differing_bits = 0};
  if (!destination.source) return rank;
  const Bits from = bits_of(*destination.source);
  rank.other_scope = scope_of(from) != rank.scope;
  rank.other_label = policy_of(from).label != policy_of(to).label;
  if (!is_mapped(to)) rank.differing_bits = kPrefix - std::min(kPrefix, common_bits(from, to));
  return rank;
}

}  // namespace

void sort_destinations(std::vector<Destination>& destinations) {
  std::vector<std::pair<Rank, Destination>> ranked;
  ranked.reserve(destinations.size());
  for (Destination& each : destinations) {
    Rank rank = rank_of(each);
    rank.order = ranked.size();
    ranked.emplace_back(rank, std::move(each));
  }
  std::ranges::sort(ranked, {}, &std::pair<Rank, Destination>::first);
  std::ranges::transform(ranked, destinations.begin(),
                         [](auto& each) { return std::move(each.second); });
}

std::optional<base::Address> source_for(const base::Address& destination) noexcept {
  const base::Fd socket(::socket(destination.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const base::Address somewhere = destination.with_port(9);
  sockaddr_storage source{};
  socklen_t size = sizeof source;
  auto* const native = reinterpret_cast<sockaddr*>(&source);
  if (!socket || ::connect(socket.get(), somewhere.native(), somewhere.native_size()) != 0 ||
      ::getsockname(socket.get(), native, &size) != 0) {
    return std::nullopt;
  }
  return base::Address::from_native(native, size);
}

}  // namespace io
