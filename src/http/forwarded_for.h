// The client's address from a list that proxies made, such as X-Forwarded-For: the last address of
// it, if the peer that sent it is trusted, or the last one that is not itself trusted.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>

#include "base/address.h"
#include "http/fields.h"

namespace http {

class ForwardedSearch {
 public:
  /// `recursive`: addresses of trusted peers in the list are passed over. The networks outlive the
  /// search.
  ForwardedSearch(std::span<const base::Network> trusted, bool recursive) noexcept
      : trusted_(trusted), recursive_(recursive) {}

  [[nodiscard]] bool is_trusted(const base::Address& address) const noexcept {
    return std::ranges::any_of(
        trusted_, [&](const base::Network& network) { return network.contains(address); });
  }

  /// Moves `address`, a trusted peer's, along the list from its end. One that can't be read ends
  /// the search. True when all of it was taken and the last one is trusted, too: the search may go
  /// on in the field before.
  bool walk_list(std::string_view list, base::Address& address) const;

  /// The same along all X-Forwarded-For fields, if `address` is trusted: they count as one list
  /// (RFC 9110 §5.3), and the last one is the nearest proxy's.
  void walk_forwarded_for(const Fields& fields, base::Address& address) const;

 private:
  std::span<const base::Network> trusted_;
  bool recursive_;
};

}  // namespace http
