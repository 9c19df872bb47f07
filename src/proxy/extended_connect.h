// WebSockets and their like over HTTP/2 (RFC 8441): a CONNECT with a :protocol is what an Upgrade
// is in HTTP/1.1, and is served as one, so that one configuration is for both.
#pragma once

#include "exchange/exchange.h"
#include "http/head.h"
#include "http/outgoing_request.h"

namespace proxy {

/// Makes a request with a :protocol the GET with Upgrade that it would be in HTTP/1.1. False: too
/// many fields.
[[nodiscard]] bool read_as_upgrade(http::RequestHead& request);

/// Whether the backend's 101 answers the handshake that we made: the client does not see it, so
/// nobody else looks (RFC 6455 §4.1).
[[nodiscard]] bool accepts_websocket(const http::RequestHead& request,
                                     const http::ResponseHead& answer);

/// Whether a backend of HTTP/2 can be asked for the tunnel on the client's behalf: it sees no key,
/// so nobody else looks at it (RFC 6455 §4.2.1).
[[nodiscard]] bool has_usable_key(const http::RequestHead& request);

/// Makes an Upgrade to `protocol` the extended CONNECT that it is over HTTP/2, without what proves
/// a handshake in HTTP/1.1 (RFC 8441 §5).
void make_extended_connect(std::string_view protocol, http::OutgoingRequest& request);

/// Makes a backend's 2xx to an extended CONNECT the 101 that it would be in HTTP/1.1: with the
/// proof that the client of HTTP/1.1 looks for. False: too many fields.
[[nodiscard]] bool read_as_switch(const http::RequestHead& request, std::string_view protocol,
                                  http::ResponseHead& answer);

/// What the client of HTTP/2 is sent instead of a 101. False: too many fields.
void answer_extended_connect(http::ResponseHead& response);

}  // namespace proxy
