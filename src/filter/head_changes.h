// What filters do to a response's head, since the body will be another than the one it describes.
#pragma once

#include "exchange/exchange.h"

namespace filter {

/// The length is not known any more, and with it no range can be offered.
void forget_length(exchange::Exchange& exchange) noexcept;
/// The body means the same but has other bytes: "x" becomes W/"x" (RFC 9110 §8.8.1). What is no
/// entity tag goes.
void weaken_etag(exchange::Exchange& exchange);
/// The body depends on more than the resource: no Last-Modified, no ETag.
void forget_validators(exchange::Exchange& exchange) noexcept;

/// Content-Length, if it is known.
[[nodiscard]] std::optional<std::uint64_t> known_length(
    const exchange::Exchange& exchange) noexcept;

/// Whether the response has a body on the wire: not to HEAD, nor with 1xx, 204 and 304.
[[nodiscard]] bool has_body(const exchange::Exchange& exchange) noexcept;

}  // namespace filter
