// What the entries of a `geo` block add up to, until they are looked up: networks of which the
// longest prefix counts, or ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "script/geo.h"

namespace script {

/// A block of addresses of one family. IPv4 is kept in the lower 32 bits.
struct GeoNetwork {
  bool ipv6 = false;
  Ipv6Number first = 0;
  unsigned prefix = 0;
  bool had_host_bits = false;  // that mean nothing

  /// "192.0.2.0/24", "::1". Nothing for anything else.
  [[nodiscard]] static std::optional<GeoNetwork> parse(std::string_view text);
  [[nodiscard]] Ipv6Number last() const noexcept;
};

/// Networks in any order. Additions and deletions of the same network count in the order in which
/// they came.
class GeoNetworks {
 public:
  void add(const GeoNetwork& network, Geo::Outcome outcome, const config::Word& word) {
    keep({network, outcome, false, &word});
  }
  void remove(const GeoNetwork& network, const config::Word& word) {
    keep({network, Geo::kNothing, true, &word});
  }
  /// The words are still there. Warns of duplicates and of deletions of what is not there.
  void finish(Geo& geo, config::Diagnostics& diagnostics);

 private:
  struct Event {
    GeoNetwork network;
    Geo::Outcome outcome;
    bool removal;
    const config::Word* word;
    std::size_t order = 0;
  };
  void keep(Event event) {
    std::vector<Event>& events = event.network.ipv6 ? ipv6_ : ipv4_;
    event.order = events.size();
    events.push_back(event);
  }
  template <class Key>
  [[nodiscard]] static IntervalTable<Key> flatten(std::vector<Event>& events, const Geo& geo,
                                                  config::Diagnostics& diagnostics);
  static void settle(std::vector<Event>& events, const Geo& geo, config::Diagnostics& diagnostics);

  std::vector<Event> ipv4_;
  std::vector<Event> ipv6_;
};

/// Ranges of IPv4 addresses. As in nginx they lie in pieces of 65536 addresses, and a range may
/// stand within an earlier one, whose addresses it takes, but not across its border.
class GeoRanges {
 public:
  struct Range {
    std::uint32_t first;
    std::uint32_t last;
  };
  /// "192.0.2.0-192.0.2.255".
  [[nodiscard]] static std::optional<Range> parse(std::string_view text);

  void add(Range range, Geo::Outcome outcome, const config::Word& word, const Geo& geo,
           config::Diagnostics& diagnostics);
  void remove(Range range, const config::Word& word, config::Diagnostics& diagnostics);
  void finish(Geo& geo, Geo::Outcome otherwise);

 private:
  struct Piece {
    std::uint32_t first;
    std::uint32_t last;
    Geo::Outcome outcome;
  };
  using Pieces = std::vector<Piece>;  // sorted, disjoint

  /// Within one 65536. False, and reported, where it crosses another one's border.
  bool add_piece(const Piece& piece, const config::Word& word, const Geo& geo,
                 config::Diagnostics& diagnostics);

  std::vector<Pieces> buckets_{std::size_t{65536}};
};

}  // namespace script
