// WebSockets and their like over HTTP/2 (RFC 8441): a CONNECT with a :protocol is what an Upgrade
// is in HTTP/1.1, and is served as one, so that one configuration is for both.
#pragma once

#include "exchange/exchange.h"
#include "http/head.h"

namespace proxy {

/// Makes a request with a :protocol the GET with Upgrade that it would be in HTTP/1.1. False: too
/// many fields.
[[nodiscard]] bool read_as_upgrade(http::RequestHead& request);

/// Whether the backend's 101 answers the handshake that we made: the client does not see it, so
/// nobody else looks (RFC 6455 §4.1).
[[nodiscard]] bool accepts_websocket(const http::RequestHead& request,
                                     const http::ResponseHead& answer);

/// What the client of HTTP/2 is sent instead of a 101. False: too many fields.
void answer_extended_connect(http::ResponseHead& response);

}  // namespace proxy
