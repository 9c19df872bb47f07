// The request as a backend gets it: the client's fields less what belongs to its connection and
// what it must not claim, then what the configuration sets.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "http/outgoing_request.h"
#include "proxy/context.h"
#include "proxy/plan.h"

namespace proxy {

/// Where one exchange goes: the plan's constant target, or what its variables gave.
struct Destination {
  bool https = false;
  std::string_view authority;
  std::string_view target;  // request-target for the backend: path and query, as sent
  upstream::Cluster* group = nullptr;  // that variables named
  bool keeps_connections = true;  // kept alive for other requests
};

/// Whether a Connection field of `fields` makes `field` hop-by-hop (RFC 9110 §7.6.1). Extension
/// fields only: it must not remove what others rely on.
[[nodiscard]] bool named_by_connection(const http::Fields& fields, const http::Field& field);

/// The error is a sentence for the log: variables gave a target that is none.
[[nodiscard]] std::expected<Destination, std::string> choose_destination(Context& context,
                                                                         const ForwardPlan& plan);

/// Fills method, version and fields. `upgrade` is set when the backend is asked to switch
/// protocols. Error: too many fields, or a value that outgrew its bounds.
[[nodiscard]] base::Result<void> make_request(Context& context, const ForwardPlan& plan,
                                              const Destination& destination,
                                              http::OutgoingRequest& request, bool& upgrade);

}  // namespace proxy
