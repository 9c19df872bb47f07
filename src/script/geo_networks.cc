#include "script/geo_networks.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace script {
namespace {

Ipv6Number host_bits(unsigned width, unsigned prefix) noexcept {
  // A shift by all 128 bits has no meaning.
  return prefix == width ? 0 : ~Ipv6Number{0} >> (128 - (width - prefix));
}

std::string ipv4_text(std::uint32_t number) {
  return fmt::format("{}.{}.{}.{}", number >> 24U, (number >> 16U) & 255U, (number >> 8U) & 255U,
                     number & 255U);
}

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  const auto address = base::Address::from_ip(text, 0);
  if (!address || address->ip_bytes().size() != 4) return std::nullopt;
  return ipv4_number(address->ip_bytes());
}

}  // namespace

std::optional<GeoNetwork> GeoNetwork::parse(std::string_view text) {
  const auto slash = text.find('/');
  const std::string_view ip = text.substr(0, slash);
  const auto address = ip.starts_with('[') ? std::nullopt : base::Address::from_ip(ip, 0);
  if (!address) return std::nullopt;
  GeoNetwork network;
  network.ipv6 = address->ip_bytes().size() == 16;
  const unsigned width = network.ipv6 ? 128 : 32;
  network.prefix = width;
  if (slash != std::string_view::npos) {
    const auto prefix = base::parse_number<unsigned>(text.substr(slash + 1));
    if (!prefix || *prefix > width) return std::nullopt;
    network.prefix = *prefix;
  }
  const Ipv6Number number = ipv6_number(address->ip_bytes());
  network.first = number & ~host_bits(width, network.prefix);
  network.had_host_bits = network.first != number;
  return network;
}

Ipv6Number GeoNetwork::last() const noexcept { return first | host_bits(ipv6 ? 128 : 32, prefix); }

// Leaves each network once, with the outcome that came last, sorted: the wider ones first.
void GeoNetworks::settle(std::vector<Event>& events, const Geo& geo,
                         config::Diagnostics& diagnostics) {
  const auto key = [](const Event& event) {
    return std::tuple(event.network.first, event.network.prefix);
  };
  std::ranges::sort(events, {}, [](const Event& event) {
    return std::tuple(event.network.first, event.network.prefix, event.order);
  });
  std::size_t kept = 0;  // events[0, kept) are settled
  for (std::size_t i = 0; i < events.size(); ++i) {
    const Event& event = events[i];
    const bool known = kept > 0 && key(events[kept - 1]) == key(event);
    if (event.removal && known) {
      --kept;
    } else if (event.removal) {
      diagnostics.warning(event.word->at,
                          fmt::format("no network \"{}\" to delete", event.word->text));
    } else if (known) {
      Event& earlier = events[kept - 1];
      diagnostics.warning(
          event.word->at,
          fmt::format("duplicate network \"{}\", value: \"{}\", old value: \"{}\"",
                      event.word->text, geo.text_of(event.outcome), geo.text_of(earlier.outcome)));
      earlier = event;
    } else {
      events[kept++] = event;
    }
  }
  events.resize(kept);
}

template <class Key>
IntervalTable<Key> GeoNetworks::flatten(std::vector<Event>& events, const Geo& geo,
                                        config::Diagnostics& diagnostics) {
  settle(events, geo, diagnostics);
  IntervalTable<Key> table(Geo::kNothing);
  std::vector<const Event*> around;  // each lies in the one before
  const auto leave = [&] {
    const Ipv6Number last = around.back()->network.last();
    around.pop_back();
    if (last == static_cast<Key>(~Key{0})) return;
    table.append(static_cast<Key>(last + 1),
                 around.empty() ? Geo::kNothing : around.back()->outcome);
  };
  for (const Event& event : events) {
    while (!around.empty() && around.back()->network.last() < event.network.first) leave();
    table.append(static_cast<Key>(event.network.first), event.outcome);
    around.push_back(&event);
  }
  while (!around.empty()) leave();
  table.finish();
  return table;
}

void GeoNetworks::finish(Geo& geo, config::Diagnostics& diagnostics) {
  auto ipv4 = flatten<std::uint32_t>(ipv4_, geo, diagnostics);
  auto ipv6 = flatten<Ipv6Number>(ipv6_, geo, diagnostics);
  geo.use(std::move(ipv4), std::move(ipv6));
}

std::optional<GeoRanges::Range> GeoRanges::parse(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = parse_ipv4(text.substr(0, dash));
  const auto last = parse_ipv4(text.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return Range{*first, *last};
}

void GeoRanges::add(Range range, Geo::Outcome outcome, const config::Word& word, const Geo& geo,
                    config::Diagnostics& diagnostics) {
  for (std::uint32_t upper = range.first >> 16U; upper <= range.last >> 16U; ++upper) {
    const Piece piece{std::max(range.first, upper << 16U),
                      std::min(range.last, (upper << 16U) | 0xffffU), outcome};
    if (!add_piece(piece, word, geo, diagnostics)) return;
  }
}

bool GeoRanges::add_piece(const Piece& piece, const config::Word& word, const Geo& geo,
                          config::Diagnostics& diagnostics) {
  Pieces& pieces = buckets_[piece.first >> 16U];
  const auto next = std::ranges::upper_bound(pieces, piece.first, {}, &Piece::first);
  const auto overlaps = [&](const Piece& other) {
    diagnostics.error(word.at,
                      fmt::format("range \"{}\" overlaps \"{}-{}\"", word.text,
                                  ipv4_text(other.first), ipv4_text(other.last)),
                      "a range within another one must stand after it");
    return false;
  };
  if (next == pieces.begin() || std::prev(next)->last < piece.first) {
    if (next != pieces.end() && next->first <= piece.last) return overlaps(*next);
    pieces.insert(next, piece);
    return true;
  }
  Piece& around = *std::prev(next);
  if (around.last < piece.last) return overlaps(around);
  if (around.first == piece.first && around.last == piece.last) {
    diagnostics.warning(
        word.at, fmt::format("duplicate range \"{}\", value: \"{}\", old value: \"{}\"", word.text,
                             geo.text_of(piece.outcome), geo.text_of(around.outcome)));
    around.outcome = piece.outcome;
    return true;
  }
  Pieces split;
  if (around.first < piece.first) {
    split.push_back({around.first, piece.first - 1, around.outcome});
  }
  split.push_back(piece);
  if (piece.last < around.last) split.push_back({piece.last + 1, around.last, around.outcome});
  around = split.front();
  pieces.insert(next, split.begin() + 1, split.end());
  return true;
}

void GeoRanges::remove(Range range, const config::Word& word, config::Diagnostics& diagnostics) {
  bool missing = false;
  for (std::uint32_t upper = range.first >> 16U; upper <= range.last >> 16U; ++upper) {
    const std::uint32_t first = std::max(range.first, upper << 16U);
    const std::uint32_t last = std::min(range.last, (upper << 16U) | 0xffffU);
    Pieces& pieces = buckets_[upper];
    const auto found = std::ranges::lower_bound(pieces, first, {}, &Piece::first);
    if (found != pieces.end() && found->first == first && found->last == last) {
      pieces.erase(found);
    } else {
      missing = true;
    }
  }
  if (missing) {
    diagnostics.warning(word.at, fmt::format("no address range \"{}\" to delete", word.text));
  }
}

void GeoRanges::finish(Geo& geo, Geo::Outcome otherwise) {
  IntervalTable<std::uint32_t> table(otherwise);
  for (const Pieces& pieces : buckets_) {
    for (const Piece& piece : pieces) {
      table.append(piece.first, piece.outcome);
      if (piece.last != 0xffffffffU) table.append(piece.last + 1, otherwise);
    }
  }
  table.finish();
  geo.use(std::move(table));
}

}  // namespace script
