#include "guard/offenders.h"

#include <algorithm>
#include <string_view>

#include "base/siphash.h"

namespace guard {
namespace {

constexpr std::size_t kClient = 8;  // bytes: all of IPv4, and what a client of IPv6 can't choose

}  // namespace

// Keyed: nobody outside can choose who shares a place.
std::uint64_t Offenders::hash_of(const base::Address& peer) const noexcept {
  constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  std::string_view bytes = peer.ip_bytes();
  if (bytes.starts_with(kMapped)) bytes.remove_prefix(kMapped.size());  // a client of IPv4
  const auto hash = base::siphash128(key_, bytes.substr(0, std::min(bytes.size(), kClient)));
  return std::max<std::uint64_t>(hash.low, 1);
}

void Offenders::report(const observe::Offence& offence) noexcept {
  if (offence.kind != observe::Offence::Kind::flood || offence.peer.ip_bytes().empty()) return;
  const std::uint64_t client = hash_of(offence.peer);
  const base::TimePoint now = clock_.now();
  const std::scoped_lock lock(mutex_);
  Place& place = places_[client % kPlaces];
  if (place.client != client || now - place.last > kMemory) place = {.client = client};
  ++place.offences;
  place.last = now;
}

unsigned Offenders::count(const base::Address& peer) const noexcept {
  if (peer.ip_bytes().empty()) return 0;
  const std::uint64_t client = hash_of(peer);
  const base::TimePoint now = clock_.now();
  const std::scoped_lock lock(mutex_);
  const Place& place = places_[client % kPlaces];
  return place.client == client && now - place.last <= kMemory ? place.offences : 0;
}

}  // namespace guard
