// OutgoingRequest: a request as it is sent to a backend, in whatever protocol.
#pragma once

#include <string_view>

#include "http/fields.h"
#include "http/head.h"
#include "http/method.h"

namespace http {

/// `fields` have no framing fields: `body` says it. What belongs to one connection alone
/// (Connection, Upgrade) is there for HTTP/1; other codecs leave it out, and make :authority of
/// Host.
struct OutgoingRequest {
  explicit OutgoingRequest(base::Arena& arena) noexcept : fields(arena) {}
  std::string_view method;
  std::string_view target;
  std::string_view scheme;    // "http" or "https", of the backend
  std::string_view protocol;  // of an extended CONNECT (RFC 8441); else empty
  Version version = Version::http_1_1;  // or http_1_0, which allows no chunks
  BodyFraming body;
  Fields fields;
};

}  // namespace http
