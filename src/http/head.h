// RequestHead and ResponseHead: the one form of a message's head that every codec (h1, h2, h3)
// makes and everything above reads. Plain data: views into the connection's buffer or the arena.
//
// What a head says about framing is the codec's verdict, already checked; nobody above looks at
// Content-Length or Transfer-Encoding again.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/fields.h"
#include "http/method.h"

namespace http {

/// RFC 9112 §3.2. `authority` is that of CONNECT: "example.com:443", no path.
enum class TargetForm : std::uint8_t { origin, absolute, asterisk, authority };

/// How the end of a message's body is found (RFC 9112 §6.3). HTTP/2 and 3 without a content-length
/// use `chunked` for "until the stream ends".
struct BodyFraming {
  enum class Kind : std::uint8_t { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t length = 0;  // of Kind::length; 1 or more in requests: a zero is Kind::none

  [[nodiscard]] bool has_body() const noexcept { return kind != Kind::none; }
  bool operator==(const BodyFraming&) const = default;
};

struct RequestHead {
  explicit RequestHead(base::Arena& arena) noexcept : fields(arena) {}

  Method method = Method::other;
  Version version = Version::http_1_1;
  TargetForm form = TargetForm::origin;
  bool has_query = false;        // a '?' stood there, even with nothing behind it
  bool keep_alive = false;       // the connection may serve another request
  bool expect_continue = false;  // Expect: 100-continue, in HTTP/1.1 and with a body
  bool upgrade = false;          // Connection names upgrade, and there is an Upgrade field
  std::uint16_t port = 0;        // of `host`; 0 if none was given

  std::string_view method_text;
  std::string_view target;     // request-target as received
  std::string_view scheme;     // of the absolute form or :scheme, as received; else empty
  std::string_view authority;  // of the absolute form or :authority, as received; else empty
  std::string_view protocol;   // :protocol of an extended CONNECT (RFC 8441), e.g. "websocket"
  std::string_view raw_path;   // "/a%20b"; "/" if an absolute form has none; "*" for asterisk;
                               // empty for authority
  std::string_view query;      // behind the '?'

  /// Validated, in lower case, without port and trailing dot; an IPv6 literal keeps its brackets.
  /// The absolute form's wins over Host (RFC 9112 §3.2.2). Empty only in HTTP/1.0 without Host.
  std::string_view host;

  BodyFraming body;
  Fields fields;
};

struct ResponseHead {
  explicit ResponseHead(base::Arena& arena) noexcept : fields(arena) {}

  std::uint16_t status = 0;
  Version version = Version::http_1_1;
  bool keep_alive = false;
  bool upgrade = false;  // Connection names upgrade, and there is an Upgrade field
  std::string_view reason;  // may be empty

  BodyFraming body;
  Fields fields;

  /// 100, 102, 103: another response follows.
  [[nodiscard]] bool is_interim() const noexcept { return status < 200 && status != 101; }
  [[nodiscard]] bool switches_protocols() const noexcept { return status == 101; }
};

}  // namespace http
