// The PROXY protocol (haproxy.org/download/2.9/doc/proxy-protocol.txt): a header that a proxy sends
// before the first byte of a connection, to say who the client is. Version 1 is a line of text,
// version 2 binary, with TLVs.
//
//   v1   PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n      at most 107 bytes
//   v2   | signature 12 | version, command | family | length 2 | addresses | TLVs |
//
// Reading is strict, and never takes a byte that belongs to what follows: at each step the parser
// says how many more surely are the header's. So nothing needs to be put back, and TLS or HTTP
// begins with an untouched stream. Peeking at the socket was rejected: streams have no such thing,
// and tests would need sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/result.h"
#include "io/buffer.h"
#include "io/stream.h"

namespace io {

/// Longer ones are refused; v2 could be 64 KB.
inline constexpr std::size_t kMaxProxyHeader = 4096;

struct ProxyHeader {
  /// Whose connection it is. `local`: the proxy's own (v2 LOCAL), or the header does not say (v1
  /// UNKNOWN, v2 UNSPEC); the rest of the header means nothing then.
  enum class Origin : std::uint8_t { local, client };
  Origin origin = Origin::local;
  base::Address source;
  base::Address destination;
  std::string_view tlvs;  // well-formed, their checksum verified; of the bytes that were parsed
};

enum class ProxyDefect : std::uint8_t {
  none,
  signature,  // neither version's: most likely no PROXY protocol at all
  line,  // v1
  too_large,
  version,
  command,
  family,
  addresses,
  tlv,
  checksum,
};
/// "the checksum is wrong"
[[nodiscard]] std::string_view explain(ProxyDefect defect) noexcept;

struct ProxyProgress {
  ProxyDefect defect = ProxyDefect::none;
  std::size_t size = 0;  // of the header, once it is whole
  std::size_t wanted = 0;  // else: bytes that surely are part of it, > 0 unless there is a defect
  [[nodiscard]] bool done() const noexcept { return size > 0; }
};

/// `bytes`: everything received so far, and no more than was wanted.
[[nodiscard]] ProxyProgress parse_proxy_header(std::string_view bytes, ProxyHeader& header);

/// Reads a header into `bytes` (which the header's TLVs then point into). The result is what is
/// wrong with it; an Error says that it did not come: end_of_stream, timed_out, reset.
[[nodiscard]] async::Task<base::Result<ProxyDefect>> read_proxy_header(Stream& stream,
                                                                       Buffer& bytes,
                                                                       ProxyHeader& header,
                                                                       base::Deadline deadline);

enum class ProxyVersion : std::uint8_t { v1, v2 };

/// A header that says so. Addresses of two families become IPv6; anything but IP becomes v1's
/// UNKNOWN or v2's UNSPEC.
[[nodiscard]] std::string make_proxy_header(ProxyVersion version, const base::Address& source,
                                            const base::Address& destination);

}  // namespace io
