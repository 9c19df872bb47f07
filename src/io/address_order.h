// The order in which the addresses of a name are tried: destination address selection, RFC 6724 §6.
// The rules about deprecated and home addresses and native transport (3, 4, 7) are left out: they
// need facts that a socket does not tell, and hosts that have such addresses are no servers.
//
// c-ares has these rules, too, but sorts the answer to one query, and A and AAAA are two here (each
// may fail, or be late, for itself); it also gives no say in what a source address is, so a test of
// it would be one of the machine it runs on.
#pragma once

#include <optional>
#include <vector>

#include "base/address.h"

namespace io {

struct Destination {
  base::Address address;  // an IP address
  std::optional<base::Address> source;  // what a packet to it would come from; nothing: no route
};

/// The best first; what is equal stays in its order.
void sort_destinations(std::vector<Destination>& destinations);

/// The source address that the kernel would choose; nothing: it has no route. Sends nothing.
[[nodiscard]] std::optional<base::Address> source_for(const base::Address& destination) noexcept;

}  // namespace io
